import { type Html, html } from "../html.ts";

/** Where this registry is, as clients are told. */
export interface RegistryName {
  /** `registry.example.org` or `registry.example.org:5000`. */
  readonly host: string;
  /** Without TLS, most clients want to be told so. */
  readonly isPlain: boolean;
}

/** By `publicUrl`, else by what the browser has called us. */
export function registryName(
  publicUrl: string | undefined,
  { scheme, host }: { readonly scheme: string; readonly host: string | undefined },
): RegistryName {
  const url = publicUrl === undefined ? undefined : new URL(publicUrl);
  return { host: url?.host ?? host ?? "registry.example.org", isPlain: (url?.protocol ?? `${scheme}:`) === "http:" };
}

/** The root of the mirror list, without a slash at its end. */
export const baseUrlOf = ({ host, isPlain }: RegistryName): string => `${isPlain ? "http" : "https"}://${host}`;

/** How the clients that people have pull an image; `reference` is `REPOSITORY:TAG` or `REPOSITORY@DIGEST`. */
export function pullCommands(
  { host, isPlain }: RegistryName,
  reference: string,
): { client: string; command: string }[] {
  const image = `${host}/${reference}`;
  const name = reference.replace(/@.*$/, "").replaceAll("/", "-").replace(/:/, "-");
  return [
    { client: "Docker", command: `docker pull ${image}` },
    { client: "Podman", command: `podman pull ${isPlain ? "--tls-verify=false " : ""}${image}` },
    {
      client: "skopeo",
      command: `skopeo copy ${isPlain ? "--src-tls-verify=false " : ""}docker://${image} oci-archive:${name}.tar`,
    },
    { client: "containerd", command: `ctr images pull ${isPlain ? "--plain-http " : ""}${image}` },
  ];
}

export function commandList(registry: RegistryName, reference: string): Html {
  return html`<dl class="commands">${pullCommands(registry, reference).map(
    ({ client, command }) => html`<div><dt>${client}</dt><dd>${commandLine(command)}</dd></div>\n`,
  )}</dl>`;
}

/** A command to copy; the frame adds a button to it where it can. */
export function commandLine(command: string): Html {
  return html`<div class="copyable"><pre class="command" tabindex="0"><code>${command}</code></pre></div>`;
}
