// Runs before a page's own scripts: remembers every RTCPeerConnection it makes, and reports on the newest open one.
(() => {
  const Native = window.RTCPeerConnection;
  if (!Native || window.venteromProbe) return;
  const made = [];
  const changes = new WeakMap();
  class Probed extends Native {
    constructor(...args) {
      super(...args);
      made.push(this);
      changes.set(this, []);
      this.addEventListener('connectionstatechange', () => changes.get(this).push(this.connectionState));
    }
  }
  window.RTCPeerConnection = Probed;
  const sockets = [];
  const NativeSocket = window.WebSocket;
  window.WebSocket = class extends NativeSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };
  const TYPES = new Set([
    'inbound-rtp', 'outbound-rtp', 'candidate-pair', 'local-candidate', 'remote-candidate', 'codec', 'transport',
  ]);
  const newest = () => made.findLast((pc) => pc.connectionState !== 'closed');
  window.venteromProbe = {
    newest,
    report: async () => {
      const pc = newest();
      const stats = [];
      if (pc) (await pc.getStats()).forEach((s) => TYPES.has(s.type) && stats.push({ ...s }));
      return {
        at_ms: performance.now(), state: pc ? pc.connectionState : 'none', made: made.length, stats,
        changes: pc ? changes.get(pc) : [],
      };
    },
    // As a proxy does that restarts: with a code that asks nobody to stay away.
    closeSockets: () => sockets.forEach((socket) => socket.close(3000)),
    videos: () => [...document.querySelectorAll('video')].map((v) => ({
      width: v.videoWidth, height: v.videoHeight, time: v.currentTime, paused: v.paused, muted: v.muted,
      visible: v.checkVisibility ? v.checkVisibility() : true,
    })),
  };
})();
