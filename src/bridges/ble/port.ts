// A port carries whole HCI packets to and from one controller, whatever lies between.

/**
 * What ended a port. `rung` is where the recovery has to begin: the controller may still be reset through the port, or
 * the port itself is of no use.
 */
export class PortFault extends Error {
  readonly rung: 'reset' | 'reopen'

  constructor(rung: PortFault['rung'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PortFault'
    this.rung = rung
  }
}

export interface HciPort {
  /** One whole packet to the controller, type byte first. */
  write(packet: Uint8Array): void
  /**
   * Puts the controller into its first state and the stream into step. Resolves when the controller has answered.
   * Absent where the kernel owns the controller.
   */
  reset?(): Promise<void>
  /** Ends it without a fault. */
  close(): void
}

export interface PortEvents {
  /** One whole packet from the controller, type byte first. */
  packet(bytes: Buffer): void
  /** Something broke. After `reopen` the port is closed. */
  fault(fault: PortFault): void
}
