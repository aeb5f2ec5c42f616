/** Why a command ends early: somebody asked for it. */
export class Interrupted extends Error {
  readonly signal: "SIGINT" | "SIGTERM";

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`ended by ${signal}`);
    this.name = "Interrupted";
    this.signal = signal;
  }
}

/**
 * A signal that is aborted, with `Interrupted` as the reason, when the process is asked to end. What it is handed to ends
 * in order and at once; whoever asks a second time ends the process as it stands.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Taken away after the first: the second finds what the system does by itself.
    process.once(signal, () => controller.abort(new Interrupted(signal)));
  }
  return controller.signal;
}
