// What the program needs of this folder.

export { type Ended, runCommand } from './command.ts'
export { MESH_ACTIONS, MESH_POINTS, Mesh, type MeshOptions } from './mesh.ts'
export type { ScaleOptions } from './scale.ts'
export type { ServiceOptions } from './service.ts'
