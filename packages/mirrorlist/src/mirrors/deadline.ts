/** A signal that ends at a time, or with another one, and costs nothing once it is no longer needed. */
export interface Deadline {
  readonly signal: AbortSignal;
  isOver(): boolean;
  clear(): void;
}

/**
 * As `AbortSignal.any([signal, AbortSignal.timeout(ms)])`, whose timer and listeners stay until the time is over: for
 * thousands of requests a second that is most of the memory.
 */
export function deadlineIn(ms: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  const onAbort = () => controller.abort(outer?.reason);
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  }, ms);
  timer.unref();
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    isOver: () => isOver,
    clear() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", onAbort);
    },
  };
}
