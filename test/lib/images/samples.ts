import { type Architecture, busybox } from "./busybox.ts";
import { type BuiltImage, buildImage, type ImageKind, type ImagePart } from "./image.ts";
import { buildLayer, type Layer, randomBytes, randomLayer } from "./layer.ts";

/** The layer that all sample images stand on: a real shell. */
export async function baseLayer(architecture: Architecture): Promise<Layer> {
  const commands = ["sh", "cat", "echo", "env", "ls", "sha256sum", "sleep", "uname", "wc"];
  return buildLayer([
    { name: "bin/" },
    { name: "bin/busybox", content: await busybox(architecture), mode: 0o755 },
    ...commands.map((name) => ({ name: `bin/${name}`, link: "busybox" })),
    { name: "etc/" },
    { name: "etc/passwd", content: "root:x:0:0:root:/:/bin/sh\n" },
    { name: "tmp/" },
  ]);
}

export interface SampleOptions {
  /** Written into the image: another name is another image. */
  readonly name: string;
  readonly kind: ImageKind;
  /** Both by default; a single manifest takes the first. */
  readonly architectures?: readonly Architecture[];
  /** Bytes of the data layer that all platforms share; 1 MiB by default. */
  readonly dataSize?: number;
  /** Images with the same data share that layer; `NAME` by default. */
  readonly data?: string;
}

/**
 * A small real image, of three layers on each platform: the shell (shared by all images of the platform), data (shared
 * by all platforms of the image), and the program `hello` (its own).
 */
export async function sampleImage(options: SampleOptions): Promise<BuiltImage> {
  const { name, kind, architectures = ["amd64", "arm64"], dataSize = 1 << 20, data = name } = options;
  const wanted = kind.endsWith("manifest") ? architectures.slice(0, 1) : architectures;
  const content = randomBytes(`sample data ${data}`, dataSize);
  const dataLayer = await buildLayer([{ name: "data/" }, { name: "data/random", content }], 1);
  const parts = wanted.map(async (architecture): Promise<ImagePart> => {
    const script = `#!/bin/sh\necho "Hello from ${name} on ${architecture}, $(wc -c </data/random) bytes of data"\n`;
    const own = await buildLayer([{ name: "bin/hello", content: script, mode: 0o755 }]);
    const layers = [await baseLayer(architecture), dataLayer, own];
    return { platform: { os: "linux", architecture }, layers, command: ["/bin/hello"] };
  });
  return buildImage(kind, await Promise.all(parts));
}

export interface RandomImageOptions {
  /** The same seed gives the same images. */
  readonly seed: string;
  readonly count: number;
  readonly kind?: ImageKind;
  readonly architectures?: readonly string[];
  /** Layers of each platform. */
  readonly layers?: number;
  readonly layerSize?: number;
  /** How many of the layers, from the base on, are the same in all images of a platform. */
  readonly sharedLayers?: number;
}

/** Images of random bytes, one after the other, for benchmarks and fault tests: any client pulls them, none runs them. */
export async function* randomImages(options: RandomImageOptions): AsyncGenerator<BuiltImage> {
  const { seed, count, kind = "docker-list", architectures = ["amd64", "arm64"] } = options;
  const { layers = 2, layerSize = 64 << 10, sharedLayers = 0 } = options;
  for (let image = 0; image < count; image += 1) {
    const parts = architectures.map(async (architecture): Promise<ImagePart> => {
      const built = Array.from({ length: layers }, (_, layer) =>
        randomLayer([seed, architecture, layer < sharedLayers ? "shared" : image, layer].join("/"), layerSize),
      );
      return { platform: { os: "linux", architecture }, layers: await Promise.all(built) };
    });
    yield buildImage(kind, await Promise.all(parts));
  }
}
