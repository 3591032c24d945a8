interface Field {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32' | 'f64';
  readonly offset: number;
  readonly meaning: string;
}

export function readAbi(): {
  readonly constants: readonly { readonly name: string; readonly value: number; readonly meaning: string }[];
  readonly structs: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly meaning: string;
    readonly fields: readonly Field[];
  }[];
};
export function abiJson(): string;
