/** A worker that compiles the kernels: its policy is that of its own file, not the page's. */
const url = new URL('node_modules/heed/dist/wasm/baseline.wasm', self.location.href);
WebAssembly.compileStreaming(fetch(url)).then((module) => self.postMessage(module));
