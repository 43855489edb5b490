// What the program needs of this folder.

export { type Health, type HealthDevice, health } from './health.ts'
export { Heat } from './heat.ts'
export { METRICS_TYPE, type MetricsDevice, type MetricsFacts, prometheus } from './prometheus.ts'
export {
  exposeSaturation,
  SATURATION_POINTS,
  type SaturationOptions,
  type SaturationResource,
} from './resource.ts'
export {
  findProblems,
  type SaturationSettings,
  saturationSchema,
  toSettings,
  type WrittenSaturation,
} from './settings.ts'
export { realSources, type Sources } from './sources.ts'
export type { Saturation } from './value.ts'
