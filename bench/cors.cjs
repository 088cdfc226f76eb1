// What both proxies that are written in Node do to the CORS fields of an answer.
const ALLOWED = /^https?:\/\/(localhost|127\.0\.0\.1)(:[0-9]+)?$/;

exports.rewriteCors = (proxy) => {
  proxy.on("proxyRes", (response, request) => {
    delete response.headers["access-control-allow-origin"];
    response.headers.vary = "Origin";
    const origin = request.headers.origin;
    if (origin && ALLOWED.test(origin)) {
      response.headers["access-control-allow-origin"] = origin;
      response.headers["access-control-allow-credentials"] = "true";
    }
  });
};
