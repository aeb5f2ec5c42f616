// Loaded into a program that is measured (node --import): writes down at its end what it has used.
import { readFileSync, writeFileSync } from "node:fs";

process.on("exit", () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  // Not maxRSS: that begins with what the program that started this one had.
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  writeFileSync(
    process.env.NEARLAYER_USAGE ?? "/dev/null",
    JSON.stringify({ cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: Number(kilobytes) * 1024 }),
  );
});
