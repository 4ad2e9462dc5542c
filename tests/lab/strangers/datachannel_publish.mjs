// libdatachannel (node-datachannel) as a WHIP publisher of VP8.
import nodeDataChannel from 'node-datachannel';

import { exchange, leave, pause, seconds } from './exchange.mjs';
import { PAYLOAD_TYPE, SSRC, startVideo } from './rtp_source.mjs';

const GATHERING_MS = 5000;
const states = [];
let sent = 0;

const connection = new nodeDataChannel.PeerConnection('stranger', { iceServers: [] });
connection.onStateChange((state) => states.push(state));
const video = new nodeDataChannel.Video('0', 'SendOnly');
video.addVP8Codec(PAYLOAD_TYPE);
video.addSSRC(SSRC, 'stranger', 'stranger', 'video');
const track = connection.addTrack(video);
connection.setLocalDescription();
// The callback for complete gathering does not always come.
for (let waited = 0; connection.gatheringState() !== 'complete' && waited < GATHERING_MS; waited += 50) await pause(50);

try {
  const { answer, end } = await exchange(connection.localDescription().sdp);
  connection.setRemoteDescription(answer, 'answer');
  startVideo(seconds, (packet) => {
    if (track.isOpen() && track.sendMessageBinary(packet)) sent += 1;
  });
  await pause(seconds * 1000);
  const succeeded = connection.state() === 'connected' && sent > 20;
  await end();
  leave(succeeded, { states, sent });
} catch (error) {
  leave(false, { states, sent, error: String(error) });
}
