// The other end of our link without hardware: for the demo, for `simulated: true`, and for tests.

export { CAN, METHOD, type Row, SimulatedNode, type SimulatedNodeOptions } from './node.ts'
export { robotSimulator, simulatedRobot } from './robot.ts'
