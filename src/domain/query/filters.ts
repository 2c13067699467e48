/**
 * One filter: a field, an operator and what it is held against, `size=gte.1`. As in SQL, a value that
 * is not there compares with nothing: only `is.null` finds it.
 */
import { rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';
import { type Columns, type Field, parseField, shown, type Value } from './columns.ts';
import { compareText, compareValues } from './compare.ts';
import { compileLike } from './like.ts';
import { parseList } from './lists.ts';
import { parseTime } from './times.ts';

export const operators = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'in', 'is'] as const;
export type Operator = (typeof operators)[number];

export interface Filter {
  readonly field: Field;
  readonly operator: Operator;
  /** What was compared with, for a planner; none for `is`, the fixed beginning for `like`. */
  readonly operands: readonly Operand[];
  matches(value: Value): boolean;
}

/** null is the owner that `me` stands for where the caller has no id: it equals nothing. */
export type Operand = string | number | boolean | null;

export interface FilterContext {
  readonly columns: Columns;
  /** What `me` stands for. */
  readonly me: string | null;
}

const maxListed = 1_000;
const maxLength = 4_096;

export function parseFilter(name: string, text: string, context: FilterContext): Result<Filter> {
  const field = parseField(context.columns, name);
  if (!field.ok) return field;
  const dot = text.indexOf('.');
  const word = dot < 0 ? text : text.slice(0, dot);
  const operator = operators.find((known) => known === word);
  if (operator === undefined || dot < 0) {
    return invalid(
      name,
      operator === undefined
        ? `unknown operator ${shown(word)}`
        : `the operator "${word}" lacks a value`,
      `Write an operator and a value, as in ${shown(name)}=eq.x; operators: ${operators.join(', ')}.`,
    );
  }
  const operand = text.slice(dot + 1);
  if (operand.length > maxLength) {
    return invalid(name, `the value is longer than ${maxLength} characters`);
  }
  const request: FilterRequest = { name, field: field.value, operand, me: context.me };
  if (operator === 'is') return parseIs(request);
  if (operator === 'like') return parseLike(request);
  if (operator === 'in') return parseIn(request);
  return parseComparison(request, operator);
}

interface FilterRequest {
  readonly name: string;
  readonly field: Field;
  readonly operand: string;
  readonly me: string | null;
}

function parseIs({ name, field, operand }: FilterRequest): Result<Filter> {
  const built = (matches: Filter['matches']): Result<Filter> =>
    ok({ field, operator: 'is', operands: [], matches });
  if (operand === 'null') return built((value) => value === null);
  const isTruth = operand === 'true' || operand === 'false';
  const hasTruth = field.kind === 'boolean' || field.kind === 'member';
  if (!isTruth || !hasTruth) {
    return invalid(
      name,
      `"is" takes ${hasTruth ? 'null, true or false' : 'null'}, not ${shown(operand)}`,
    );
  }
  const wanted = operand === 'true';
  return built((value) => value === wanted || (field.asText && value === operand));
}

function parseLike({ name, field, operand }: FilterRequest): Result<Filter> {
  if (field.kind !== 'text' && field.kind !== 'member') {
    return invalid(name, 'the operator "like" is for text');
  }
  const pattern = compileLike(operand);
  const matches = (value: Value) => value !== null && pattern.matches(String(value));
  return ok({ field, operator: 'like', operands: [pattern.prefix], matches });
}

function parseIn(request: FilterRequest): Result<Filter> {
  const { name, field, operand } = request;
  const texts = parseList(operand);
  if (texts === undefined) {
    return invalid(name, 'the value is not a list', 'Write a list as in.(a,b,"c,d").');
  }
  if (texts.length > maxListed) {
    return invalid(name, `a list has at most ${maxListed} values`);
  }
  const operands: Operand[] = [];
  for (const text of texts) {
    const parsed = parseOperand({ ...request, operand: text });
    if (!parsed.ok) return parsed;
    operands.push(parsed.value);
  }
  const equal = equality(field, operands);
  return ok({ field, operator: 'in', operands, matches: equal });
}

function parseComparison(
  request: FilterRequest,
  operator: Exclude<Operator, 'is' | 'like' | 'in'>,
): Result<Filter> {
  const { field } = request;
  const operand = parseOperand(request);
  if (!operand.ok) return operand;
  const { value: wanted } = operand;
  const compare = comparison(field, wanted);
  const matches = (value: Value) =>
    value !== null && wanted !== null && holds(operator, compare(value));
  return ok({ field, operator, operands: [wanted], matches });
}

function holds(operator: Exclude<Operator, 'is' | 'like' | 'in'>, order: number): boolean {
  switch (operator) {
    case 'eq':
      return order === 0;
    case 'neq':
      return order !== 0;
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
    default:
      return operator satisfies never;
  }
}

function parseOperand({ name, field, operand, me }: FilterRequest): Result<Operand> {
  const { kind } = field;
  switch (kind) {
    case 'text':
      return ok(field.column === 'owner_id' && operand === 'me' ? me : operand);
    case 'member':
      return ok(operand);
    case 'boolean':
      if (operand === 'true' || operand === 'false') return ok(operand === 'true');
      return invalid(name, `${shown(operand)} is neither true nor false`);
    case 'number': {
      const number = /^-?\d{1,16}$/.test(operand) ? Number(operand) : Number.NaN;
      if (Number.isSafeInteger(number)) return ok(number);
      return invalid(name, `${shown(operand)} is not a whole number below 2^53`);
    }
    case 'time': {
      const time = parseTime(operand);
      if (time !== undefined) return ok(time);
      return invalid(
        name,
        `${shown(operand)} is not a time`,
        'Write RFC 3339, as in 2026-01-31T12:00:00Z, or a date.',
      );
    }
    default:
      return kind satisfies never;
  }
}

/** Compares a value that is there with the operand; a JSON number with a number as numbers. */
function comparison(field: Field, operand: Operand): (value: Value) => number {
  if (field.kind !== 'member') return (value) => compareValues(value, operand);
  const text = String(operand);
  const number = numberOf(text);
  return (value) =>
    typeof value === 'number' && number !== undefined
      ? value - number
      : compareText(String(value), text);
}

function equality(field: Field, operands: readonly Operand[]): (value: Value) => boolean {
  const wanted = new Set<Value>(operands);
  // A JSON number equals each way of writing it.
  const numbers = new Set(
    field.kind === 'member' ? operands.flatMap((operand) => numberOf(String(operand)) ?? []) : [],
  );
  return (value) => {
    if (value === null) return false;
    if (field.kind !== 'member') return wanted.has(value);
    return wanted.has(String(value)) || (typeof value === 'number' && numbers.has(value));
  };
}

function numberOf(text: string): number | undefined {
  if (!/^-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

function invalid(name: string, message: string, hint?: string) {
  return refuse(
    rejection(
      'InvalidRequest',
      `The filter ${shown(name)}: ${message}`,
      hint === undefined ? {} : { hint },
    ),
  );
}
