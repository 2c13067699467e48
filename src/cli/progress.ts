/** A bar on standard error for work that takes its time; nothing where standard output is no terminal. */
import type { Surroundings } from './surroundings.ts';

export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface ProgressBar {
  show(progress: Progress): void;
  /** Takes the bar away. */
  clear(): void;
}

const widthOfBar = 32;

export function progressBar(surroundings: Surroundings): ProgressBar {
  let shown = '';
  const write = (text: string) => {
    if (!surroundings.isTty || text === shown) return;
    shown = text;
    surroundings.warn(`\r\u001b[K${text}`);
  };
  return {
    show(progress) {
      write(barText(progress));
    },
    clear() {
      if (shown !== '') write('');
    },
  };
}

function barText({ done, total }: Progress): string {
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.floor(share * widthOfBar);
  const bar = '█'.repeat(filled) + '░'.repeat(widthOfBar - filled);
  return `${bar} ${Math.floor(share * 100)} %  ${done} of ${total}`;
}
