import { html } from "../html.ts";
import type { Page } from "./layout.ts";

/** For who came by a link that leads nowhere; `what` says what was not found. */
export function notFoundPage(what: string): Page {
  return {
    status: 404,
    title: "Not found · Nearlayer",
    main: html`<h1>Not found</h1>\n<p>${what}</p>\n<p><a href="/">All repositories</a> · <a href="/mirrors">all mirrors</a></p>`,
    isPassing: true,
  };
}

export const FAILED_PAGE: Page = {
  status: 500,
  title: "Something went wrong · Nearlayer",
  main: html`<h1>Something went wrong here</h1>\n<p>It has been written down. Pulls are not affected; try again in a moment.</p>`,
  isPassing: true,
};
