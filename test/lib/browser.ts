import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Debian's Chromium, without a window. It asks nobody but the pages' own hosts. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
}

/** A page, and what went wrong on it: errors of the console, which include what the security policy refuses, and dialogs. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly problems: string[];
  /** Goes to a path of `baseURL`. */
  open(path: string): Promise<void>;
  /** How many pixels the page is wider than the window. */
  overflow(): Promise<number>;
}

/** A visitor with a session of their own. */
export async function visit(browser: Browser, options: BrowserContextOptions): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  page.on("dialog", (dialog) => {
    problems.push(`${page.url()}: a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return {
    page,
    problems,
    async open(path) {
      await page.goto(path);
    },
    overflow: () => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
    [Symbol.asyncDispose]: () => context.close(),
  };
}
