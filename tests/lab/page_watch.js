// A WHEP player in the page: what a stock browser shows of what a stranger publishes.
async ({ url, token }) => {
  const pc = new RTCPeerConnection();
  const stream = new MediaStream();
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, srcObject: stream });
  document.body.append(video);
  pc.ontrack = (event) => stream.addTrack(event.track);
  for (const kind of ['audio', 'video']) pc.addTransceiver(kind, { direction: 'recvonly' });
  await pc.setLocalDescription();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', authorization: `Bearer ${token}` },
    body: pc.localDescription.sdp,
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
}
