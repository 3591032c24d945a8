# workerd with a program, the package and its bare modules, which are compiled when they are imported: `workerd test workerd.capnp`.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "main",
    worker = (
      modules = [
        (name = "workerd.mjs", esModule = embed "workerd.mjs"),
        (name = "checks.mjs", esModule = embed "checks.mjs"),
        (name = "golden-calls.mjs", esModule = embed "golden-calls.mjs"),
        (name = "goldens.mjs", esModule = embed "goldens.mjs"),
        (name = "floats.mjs", esModule = embed "floats.mjs"),
        (name = "paints.mjs", esModule = embed "paints.mjs"),
        (name = "heed", esModule = embed "node_modules/heed/dist/index.js"),
        (name = "heed/wasm/baseline.wasm", wasm = embed "node_modules/heed/dist/wasm/baseline.wasm"),
        (name = "heed/wasm/relaxed.wasm", wasm = embed "node_modules/heed/dist/wasm/relaxed.wasm"),
      ],
      compatibilityDate = "2025-05-05",
    ),
  )],
);
