/** enroot's words for no: `n`, `no`, `f`, `false` and some of them in capitals. */
export function meansNo(value: string): boolean {
  return /^(?:no?|N[oO]?|[fF](?:alse)?|FALSE)$/.test(value);
}
