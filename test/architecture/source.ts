/**
 * Reads what a source file imports, from its text: comments are dropped, strings set aside, so that
 * neither can pass for code. It knows as much of TypeScript's grammar as that takes, no more.
 */

export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** Undefined where it is not a literal, so that nobody can tell what is imported. */
  readonly specifier: string | undefined;
  /** What stands between `import` and `from`. */
  readonly names: string;
  /** True where nothing of it is left at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface ParsedSource extends SourceFile {
  /** The text without comments; a string literal is `"n"`, its place in `strings`. */
  readonly code: string;
  readonly strings: readonly string[];
  readonly imports: readonly Import[];
  readonly lines: number;
}

export function parseSource(file: SourceFile): ParsedSource {
  const { code, strings } = new Scanner(file.text).scan();
  const lines = file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0);
  return { ...file, code, strings, lines, imports: importsOf(code, strings) };
}

const importForms = {
  /** `import type { A } from 'x'`, `export * as y from 'x'`. */
  from: /(?<![.#\w$])(?:import|export)\b\s*(?<type>type\b(?!\s*(?:,|from\b)))?(?<names>[\w$*\s{},]*?)(?<![\w$])from\s*"(?<at>\d+)"/g,
  /** `import 'x'`. */
  bare: /(?<![.#\w$])import\s*"(?<at>\d+)"/g,
  /** `import('x')`, `typeof import('x')`. */
  call: /(?<![.#\w$])(?<type>typeof\s+)?import\s*\(\s*(?:"(?<at>\d+)"(?=\s*[,)]))?/g,
  /** `require('x')`, also of `import x = require('x')`. */
  require: /(?<![.#\w$])require\s*\(\s*(?:"(?<at>\d+)"(?=\s*[,)]))?/g,
};

function importsOf(code: string, strings: readonly string[]): Import[] {
  return Object.values(importForms).flatMap((form) =>
    [...code.matchAll(form)].map(({ index, groups = {} }) => ({
      specifier: groups.at === undefined ? undefined : strings[Number(groups.at)],
      names: (groups.names ?? '').trim(),
      typeOnly: groups.type !== undefined,
      line: code.slice(0, index).split('\n').length,
    })),
  );
}

/** Where a `/` begins a regular expression: after these, and after an operator. */
const wordsBeforeExpression =
  /(?:^|[^.\w$])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof)$/;

class Scanner {
  private readonly text: string;
  private at = 0;
  private code = '';
  private readonly strings: string[] = [];

  constructor(text: string) {
    this.text = text;
  }

  scan(): { code: string; strings: string[] } {
    this.scanUntil(undefined);
    return { code: this.code, strings: this.strings };
  }

  /** Scans code; inside of a template, up to the brace that closes the expression. */
  private scanUntil(end: '}' | undefined): void {
    let depth = 0;
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at);
      if (char === end && depth === 0) return;
      if (char === '{') depth += 1;
      if (char === '}') depth -= 1;
      this.scanOne(char);
    }
  }

  private scanOne(char: string): void {
    if (this.text.startsWith('//', this.at)) this.dropTo(this.text.indexOf('\n', this.at));
    else if (this.text.startsWith('/*', this.at)) {
      this.dropTo(this.text.indexOf('*/', this.at + 2) + 2);
    } else if (char === "'" || char === '"') this.scanString(char);
    else if (char === '`') this.scanTemplate();
    else if (char === '/' && this.beginsRegex()) this.scanRegex();
    else {
      this.code += char;
      this.at += 1;
    }
  }

  /** A comment is worth a space, or its line ends. */
  private dropTo(end: number): void {
    const stop = end < this.at + 2 ? this.text.length : end;
    this.code += this.text.slice(this.at, stop).replace(/[^\n]+/g, ' ');
    this.at = stop;
  }

  private scanString(quote: string): void {
    let value = '';
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const char = this.text.charAt(this.at);
      if (char === quote) break;
      if (char === '\\') this.at += 1;
      value += this.text.charAt(this.at);
    }
    this.at += 1;
    this.setAside(value);
  }

  /** One without expressions is a string; of another, the expressions are code. */
  private scanTemplate(): void {
    let value = '';
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const char = this.text.charAt(this.at);
      if (char === '`') break;
      if (char === '\\') this.at += 1;
      if (this.text.startsWith('${', this.at) && char !== '\\') {
        this.code += '(';
        this.at += 2;
        this.scanUntil('}');
        this.code += ')+';
      } else value += this.text.charAt(this.at);
    }
    this.at += 1;
    this.setAside(value);
  }

  private setAside(value: string): void {
    this.code += `"${this.strings.push(value) - 1}"`;
  }

  private beginsRegex(): boolean {
    const before = this.code.trimEnd();
    return before === '' || /[^\w$)\]}"]$/.test(before) || wordsBeforeExpression.test(before);
  }

  private scanRegex(): void {
    let inClass = false;
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const char = this.text.charAt(this.at);
      if (char === '\\') this.at += 1;
      else if (char === '[') inClass = true;
      else if (char === ']') inClass = false;
      else if ((char === '/' && !inClass) || char === '\n') break;
    }
    this.at += 1;
    this.code += '/ /';
  }
}
