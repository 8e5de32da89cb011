// A model in WebAssembly, one step at a time. See src/lib.rs for the functions of the module.

export class Stream {
  #wasm;

  // Takes the bytes of the module and those of a checkpoint.
  static async open(module, checkpoint) {
    const stream = new Stream();
    stream.#wasm = (await WebAssembly.instantiate(module)).instance.exports;
    const at = stream.#wasm.room(checkpoint.byteLength);
    new Uint8Array(stream.#wasm.memory.buffer, at).set(new Uint8Array(checkpoint));
    if (!stream.#wasm.open()) throw new Error(stream.#message());
    return stream;
  }

  // Returns the prediction after one more step.
  step(value) {
    const prediction = this.#wasm.step(value);
    const message = this.#message();
    if (message) throw new Error(message);
    return prediction;
  }

  // Begins a new sequence.
  reset() {
    this.#wasm.reset();
  }

  #message() {
    const { memory, message, message_bytes } = this.#wasm;
    return new TextDecoder().decode(new Uint8Array(memory.buffer, message(), message_bytes()));
  }
}
