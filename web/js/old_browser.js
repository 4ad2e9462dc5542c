/* Runs everywhere, so it is written in the JavaScript of 2009: tells visitors whose browser cannot make calls. */
(function () {
  var canCall = "RTCPeerConnection" in window && "noModule" in document.createElement("script");
  if (!canCall) {
    var notice = document.getElementById("old-browser");
    if (notice) {
      notice.removeAttribute("hidden");
    }
  }
})();
