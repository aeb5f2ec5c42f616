import { type BuiltImage, type ImageKind, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";

/** An image of the demo, under the name it was pushed by. */
export interface DemoImage {
  readonly repository: string;
  readonly tag: string;
  readonly image: BuiltImage;
}

/** All stand on one shell layer for each platform; the first two share their data as well. */
const wanted: readonly { repository: string; kind: ImageKind; data: string; dataSize: number }[] = [
  { repository: "fedora/app", kind: "docker-list", data: "common", dataSize: 3 << 20 },
  { repository: "fedora/tools", kind: "oci-index", data: "common", dataSize: 3 << 20 },
  { repository: "fedora/shell", kind: "docker-manifest", data: "shell", dataSize: 1 << 20 },
];

export const tag = "1";

export async function pushDemoImages(registryUrl: string): Promise<DemoImage[]> {
  const images: DemoImage[] = [];
  for (const { repository, ...options } of wanted) {
    const image = await sampleImage({ name: repository, ...options });
    await pushImage(registryUrl, repository, tag, image);
    images.push({ repository, tag, image });
  }
  return images;
}

/** This machine's architecture, in the words of images. */
export const architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** The layers that a client on this machine fetches of an image. */
export function layersHere({ image }: DemoImage): readonly { digest: string; size: number }[] {
  return manifestFor(image, architecture).layers.map(({ digest, bytes }) => ({ digest, size: bytes.length }));
}
