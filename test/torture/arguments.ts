/** `--name value` arguments of the torture commands, all of them whole numbers. */

export function numbers<Name extends string>(
  defaults: Readonly<Record<Name, number | undefined>>,
): Record<Name, number | undefined> {
  const given = process.argv.slice(2);
  const values: Record<string, number | undefined> = { ...defaults };
  for (let index = 0; index < given.length; index += 2) {
    const [flag = '', value = ''] = given.slice(index, index + 2);
    const name = flag.replace(/^--/, '');
    if (!flag.startsWith('--') || !Object.hasOwn(defaults, name) || !/^\d+$/.test(value)) {
      const known = Object.keys(defaults).map((one) => `[--${one} N]`);
      console.error(`${flag} ${value}: not understood. Use ${known.join(' ')}.`);
      process.exit(2);
    }
    values[name] = Number(value);
  }
  return values as Record<Name, number | undefined>;
}

/** A seed to print, where none was given. */
export function anySeed(): number {
  return Math.floor(Math.random() * 1_000_000_000);
}
