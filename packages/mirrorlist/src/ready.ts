/** What is there already, or is waited for. To await it always would cost each request a turn of the queue and more. */
export type Ready<T> = T | Promise<T>;

/** Goes on with a value: at once when it is there. */
export function whenReady<T, R>(value: Ready<T>, then: (value: T) => Ready<R>): Ready<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}
