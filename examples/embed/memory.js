/** The bare module over a memory of ours, and structs by the names of their fields. */
import { readFile } from 'node:fs/promises';

const read = (name) => readFile(new URL(import.meta.resolve(`heed/wasm/${name}`)));

export const { constants, structs } = JSON.parse(await read('abi.json'));
const memory = new WebAssembly.Memory({ initial: 16 });
export const kernels = (await WebAssembly.instantiate(await read('baseline.wasm'), { env: { memory } }))
  .instance.exports;
if (kernels.abi.value !== constants.ABI_VERSION) throw new Error('abi.json is of another version');

/** An address with room for so many bytes. The module's constants lie below `heapBase`, all else is ours. */
let top = kernels.heapBase();
export function take(bytes) {
  const address = constants.ALIGNMENT * Math.ceil(top / constants.ALIGNMENT);
  top = address + bytes;
  return address;
}

export const floats = (address, length) => new Float32Array(memory.buffer, address, length);

/** The address of a copy. */
export function put(array) {
  const address = take(array.byteLength);
  floats(address, array.length).set(array);
  return address;
}

/** The address of structs, one behind the other. Fresh memory is zeros: so are fields that are not given. */
export function write(name, ...rows) {
  const { bytes, fields } = structs[name];
  const view = new DataView(memory.buffer, take(bytes * rows.length));
  const set = { u32: 'setUint32', i32: 'setInt32', f32: 'setFloat32', f64: 'setFloat64' };
  rows.forEach((row, i) => {
    for (const [field, value] of Object.entries(row))
      view[set[fields[field].type]](bytes * i + fields[field].offset, value, true);
  });
  return view.byteOffset;
}
