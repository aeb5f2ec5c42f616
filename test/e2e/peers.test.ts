import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientNames } from "../lib/clients/client.ts";
import { startClient } from "../lib/clients/start.ts";
import { manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const kinds = ["docker-manifest", "docker-list", "oci-index"] as const;

/** The harness itself: each real client pulls each kind of image straight from the real registry. */
describe("clients and the registry", () => {
  let folder: TemporaryFolder;
  let registry: Registry | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder("peers");
    if ((await whyNot("registry")) === undefined) registry = await startRegistry({ dir: await folder.at("registry") });
  });

  afterAll(async () => {
    await registry?.stop();
    await folder[Symbol.asyncDispose]();
  });

  for (const name of clientNames) {
    test(`${name} pulls every layer of every kind of image`, async (context) => {
      await skipUnless(context, "registry", "busybox", name);
      if (registry === undefined) throw new Error("the registry is not there");
      await using client = await startClient(name, await folder.at(name));
      for (const kind of kinds) {
        const image = await sampleImage({ name: kind, kind });
        await pushImage(registry.url, `test/${kind}`, "1", image);
        const mark = await registry.log.mark();

        const pulled = await client.pull(`${registry.host}/test/${kind}:1`, { platform: "linux/amd64" });
        expect(pulled).toMatchObject({ exitCode: 0 });

        const requests = await registry.log.entries(mark);
        const answered = requests.filter(
          ({ method, kind, status }) => method === "GET" && kind === "blob" && status === 200,
        );
        for (const { digest, bytes } of manifestFor(image, "amd64").layers) {
          expect(answered).toContainEqual(
            expect.objectContaining({ uri: expect.stringContaining(digest), bytes: bytes.length }),
          );
        }
        await client.forget();
      }
    });
  }
});
