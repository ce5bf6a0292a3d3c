// Runs beside the sound card: gathers the microphone's samples into blocks of about 50 ms.

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 20);
    this.block = new Float32Array(this.size);
    this.filled = 0;
  }

  process([input]) {
    const samples = input[0] ?? [];
    for (const sample of samples) {
      this.block[this.filled++] = sample;
      if (this.filled === this.size) {
        this.port.postMessage(this.block, [this.block.buffer]);
        this.block = new Float32Array(this.size);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("blocks", Blocks);
