/** A refusal is a value: what was asked for either happened (`ok`) or was refused for a stated reason. */
import type { Rejection } from './rejection.ts';

export type Result<T, R = Rejection> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: R };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function refuse<R>(rejection: R): { readonly ok: false; readonly rejection: R } {
  return { ok: false, rejection };
}
