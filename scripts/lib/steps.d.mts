export function bold(text: string): string;
export function dim(text: string): string;
export function green(text: string): string;
export function red(text: string): string;
export function yellow(text: string): string;
export function duration(milliseconds: number): string;
export function heading(title: string): void;
export function step<T>(title: string, action: () => T | Promise<T>): Promise<T>;
