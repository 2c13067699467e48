/** `--name value` arguments of the torture commands, all of them whole numbers. */

export function numbers<Name extends string>(
  names: readonly Name[],
): Partial<Record<Name, number>> {
  const values: Partial<Record<string, number>> = {};
  const given = process.argv.slice(2);
  for (let index = 0; index < given.length; index += 2) {
    const [flag = '', value = ''] = given.slice(index, index + 2);
    const name = names.find((one) => flag === `--${one}`);
    if (name === undefined || !/^\d{1,15}$/.test(value)) {
      const known = names.map((one) => `[--${one} N]`).join(' ');
      console.error(`${flag} ${value}: not understood. Use ${known}.`);
      process.exit(2);
    }
    values[name] = Number(value);
  }
  return values;
}

/** A seed to print, where none was given. */
export function anySeed(): number {
  return Math.floor(Math.random() * 1_000_000_000);
}
