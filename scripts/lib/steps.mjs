// Progress for people: one line per step, alive on a terminal, plain in a log.

const tty = process.stdout.isTTY === true && process.env.TERM !== "dumb";
const colour = tty && !process.env.NO_COLOR;
const paint = (code) => (text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint("1");
export const dim = paint("2");
export const green = paint("32");
export const red = paint("31");
export const yellow = paint("33");

/** How long something took, for people: `0.4 s`, `1 min 12 s`. */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A heading that sets a section of the output apart. */
export function heading(title) {
  process.stdout.write(`\n${bold(title)}\n`);
}

/** The timer of the step that is shown; one that starts while another runs takes its place. */
let shown;

/**
 * Runs one step and shows it. On a terminal its line counts the seconds; elsewhere a line appears when the step has
 * ended, and one before that when it takes long. What the action returns as a string is shown as the step's detail.
 */
export async function step(title, action) {
  const started = Date.now();
  const spent = () => dim(duration(Date.now() - started));
  clearInterval(shown);
  const timer = tty
    ? setInterval(() => process.stdout.write(`\r\u001b[2K  ◌ ${title} ${spent()}`), 100)
    : setTimeout(() => process.stdout.write(`  … ${title}\n`), 3000);
  shown = timer;
  const finish = (line) => {
    clearInterval(timer);
    process.stdout.write(`${tty ? "\r\u001b[2K" : ""}  ${line}\n`);
  };
  try {
    const result = await action();
    const detail = typeof result === "string" ? `: ${result}` : "";
    finish(`${green("✔")} ${title}${detail} ${spent()}`);
    return result;
  } catch (error) {
    finish(`${red("✖")} ${title} ${spent()}`);
    throw error;
  }
}
