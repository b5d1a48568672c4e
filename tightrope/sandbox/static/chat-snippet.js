/* Chatwoot's website snippet as any firm pastes it; the two addresses come from the script tag's data attributes. */
(function (d, t) {
  var tag = d.querySelector("script[data-website-token]");
  var BASE_URL = tag.dataset.baseUrl;
  var g = d.createElement(t), s = d.getElementsByTagName(t)[0];
  g.src = BASE_URL + "/packs/js/sdk.js";
  g.defer = true;
  g.async = true;
  s.parentNode.insertBefore(g, s);
  g.onload = function () {
    window.chatwootSDK.run({ websiteToken: tag.dataset.websiteToken, baseUrl: BASE_URL });
  };
  g.onerror = function () {
    window.dispatchEvent(new Event("portal:chat-down"));
  };
})(document, "script");
