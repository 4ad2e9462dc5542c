// werift (WebRTC in TypeScript alone) as a WHEP player: counts RTP packets and whole frames.
import { RTCPeerConnection, useOPUS, useVP8 } from 'werift';

import { exchange, leave, pause, seconds } from './exchange.mjs';

const GATHERING_MS = 3000;
const MIN_PACKETS = 50;
const packets = { audio: 0, video: 0 };
let frames = 0;
const states = [];

const connection = new RTCPeerConnection({ iceServers: [], codecs: { audio: [useOPUS()], video: [useVP8()] } });
connection.connectionStateChange.subscribe((state) => states.push(state));
for (const kind of ['audio', 'video']) {
  connection.addTransceiver(kind, { direction: 'recvonly' }).onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe((packet) => {
      packets[kind] += 1;
      if (kind === 'video' && packet.header.marker) frames += 1;
    });
  });
}

try {
  await connection.setLocalDescription(await connection.createOffer());
  for (let waited = 0; connection.iceGatheringState !== 'complete' && waited < GATHERING_MS; waited += 50) await pause(50);
  const { answer, end } = await exchange(connection.localDescription.sdp);
  await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  await pause(seconds * 1000);
  await end();
  leave(packets.audio >= MIN_PACKETS && packets.video >= MIN_PACKETS && frames > 0, { states, packets, frames });
} catch (error) {
  leave(false, { states, packets, frames, error: String(error) });
}
