import { createHash } from "node:crypto";
import { html } from "../html.ts";

/** The one script: a button beside each command that copies it. Without it the command is marked by a click. */
const SCRIPT = `for(const pre of document.querySelectorAll("pre.command")){if(!navigator.clipboard)break;
const button=document.createElement("button");button.type="button";button.textContent="Copy";
button.setAttribute("aria-label","Copy: "+pre.textContent);
button.addEventListener("click",async()=>{await navigator.clipboard.writeText(pre.textContent);
button.textContent="Copied";setTimeout(()=>{button.textContent="Copy"},1500)});pre.after(button)}`;

export const COPY_SCRIPT = html`<script>${html([SCRIPT] as unknown as TemplateStringsArray)}</script>\n`;

/** How the Content-Security-Policy names it: it, and no other. */
export const SCRIPT_SOURCE = `'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`;
