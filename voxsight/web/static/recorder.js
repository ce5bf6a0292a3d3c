// A recording from the microphone as a file, with its level meanwhile.

/** The microphone, without what browsers do to voices in calls; errors are sentences. */
export async function microphone() {
  if (!navigator.mediaDevices) {
    throw new Error("The browser gives the microphone to pages on https or localhost only. "
      + "Open the page so, or choose a file.");
  }
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false,
    autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Error(error.name === "NotAllowedError"
      ? "The microphone was not allowed. Allow it for this page in the browser, or choose a file."
      : "No microphone was found. Connect one, or choose a file.");
  }
}

/** Starts recording; `stop()` of what it returns gives the file. */
export async function startRecording(tell) {
  const stream = await microphone();
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(stream).connect(analyser);
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((done) => { recorder.onstop = done; });
  recorder.start(500);
  const start = performance.now();
  const newest = new Float32Array(2048);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(newest);
    const peak = newest.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    tell((performance.now() - start) / 1000, peak);
  }, 100);
  return {
    async stop() {
      clearInterval(timer);
      if (recorder.state !== "inactive") recorder.stop();
      await ended;
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
      const ending = recorder.mimeType.includes("mp4") ? "m4a"
        : recorder.mimeType.includes("ogg") ? "ogg" : "webm";
      const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
      return new File(parts, `recorded ${time}.${ending}`, { type: recorder.mimeType });
    },
  };
}
