// What a device folder may import: everything behind `#device`.
export * from './link.ts'
