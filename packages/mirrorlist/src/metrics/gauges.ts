import { Gauge, type Registry } from "prom-client";
import { describeMirror, type PlatformDescription } from "../mirrors/describe.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Snapshot } from "../served/snapshot.ts";
import type { CatalogHealth } from "../served/watch.ts";

/** What holds the states that are shown as gauges. Times are epoch milliseconds. */
export interface Sources {
  readonly snapshot: () => Snapshot;
  readonly mirrors: () => readonly Mirror[];
  readonly catalog: () => CatalogHealth;
  /** By listener: `http`, `https`, `metrics`. */
  readonly connections: () => Readonly<Record<string, number>>;
  readonly certificateExpiresAt: () => number | undefined;
  readonly droppedLogLines: () => number;
  readonly now: () => number;
}

/** Each is filled when somebody asks for it, and not before. */
export function registerGauges(registry: Registry, sources: Sources): void {
  const { snapshot, mirrors, catalog, connections, certificateExpiresAt, droppedLogLines, now } = sources;
  const gauge = <L extends string>(
    name: string,
    help: string,
    fill: (gauge: Gauge<L>) => void,
    labelNames: readonly L[] = [],
  ) =>
    new Gauge<L>({
      name: `nearlayer_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        fill(this);
      },
    });
  const plain = (name: string, help: string, value: () => number | undefined) =>
    gauge(name, help, (self) => {
      const current = value();
      if (current !== undefined) self.set(current);
    });
  const descriptions = () => mirrors().map((mirror) => describeMirror(mirror, snapshot().generations));

  plain("catalog_up", "1 while the catalog can be read.", () => Number(catalog().isReadable));
  plain("catalog_unreadable_seconds", "For how long the catalog could not be read; 0 while it can.", () => {
    const { isReadable, since } = catalog();
    return isReadable ? 0 : (now() - since) / 1000;
  });
  plain("catalog_revision", "The revision of the catalog that is served.", () => snapshot().revision);
  plain("snapshot_age_seconds", "Since when what is served is as it is.", () => (now() - catalog().snapshotAt) / 1000);
  plain("repositories", "Repositories that are served.", () => snapshot().repositories.size);
  plain("manifests", "Manifests that are served.", () => snapshot().manifests.size);
  plain("blobs", "Blobs that are known.", () => snapshot().blobs.size);
  gauge(
    "mirror_generations_behind",
    "How many generations of a platform a mirror lacks.",
    (self) => {
      for (const { name, platforms } of descriptions()) {
        for (const { platform, behind } of platforms) {
          if (behind !== undefined) self.set({ mirror: name, platform }, behind);
        }
      }
    },
    ["mirror", "platform"],
  );
  gauge(
    "mirror_up",
    "1 when the last probe of a platform of a mirror was good, and 0 when it was not.",
    (self) => {
      for (const { name, disabled, platforms } of descriptions()) {
        if (disabled) continue;
        for (const { platform, state } of platforms) self.set({ mirror: name, platform }, isUp(state));
      }
    },
    ["mirror", "platform"],
  );
  gauge(
    "connections",
    "Connections by what they lead to.",
    (self) => {
      for (const [listener, count] of Object.entries(connections())) self.set({ listener }, count);
    },
    ["listener"],
  );
  plain("tls_certificate_expiry_timestamp_seconds", "When the certificate ends that is shown to clients.", () => {
    const at = certificateExpiresAt();
    return at === undefined ? undefined : at / 1000;
  });
  plain("log_lines_dropped", "Lines that were lost because stderr did not take them.", droppedLogLines);
}

const isUp = (state: PlatformDescription["state"]) => Number(state === "fresh" || state === "behind");
