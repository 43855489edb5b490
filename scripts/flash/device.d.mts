export interface Place {
  root?: string
  deviceOf?: (path: string) => string | undefined
}

export declare const LARGEST: number
export declare function checkDevice(
  path: string,
  place?: Place,
): { name: string; bytes: number; model: string }
export declare function gigabytes(bytes: number): string
