// RTP packets of a moving VP8 picture, made by ffmpeg and handed to a callback.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';

export const PAYLOAD_TYPE = 96;
export const SSRC = 42;

/** @param {number} seconds @param {(packet: Buffer) => void} onPacket */
export function startVideo(seconds, onPacket) {
  const socket = createSocket('udp4');
  socket.on('message', onPacket);
  socket.bind(0, '127.0.0.1', () => {
    const target = `rtp://127.0.0.1:${socket.address().port}?pkt_size=1200`;
    spawn('ffmpeg', [
      '-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25', '-t', String(seconds),
      '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k', '-g', '25',
      '-f', 'rtp', '-ssrc', String(SSRC), '-payload_type', String(PAYLOAD_TYPE), target,
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
  });
}
