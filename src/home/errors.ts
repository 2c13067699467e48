/** Why a data directory was not opened. Each message tells the operator what to do. */

/** The directory can't be used as it is: not ours, another format, not writable. */
export class HomeRefused extends Error {
  override readonly name: string = 'HomeRefused';
}

/** Another process holds the directory. */
export class HomeLocked extends HomeRefused {
  override readonly name = 'HomeLocked';
}

/** A control file does not hold what was written into it. */
export class ControlDamaged extends Error {
  override readonly name = 'ControlDamaged';
}

/** A secret's file can't be trusted; its content is never in the message. */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}
