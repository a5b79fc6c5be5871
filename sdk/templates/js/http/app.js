// A page that counts its visitors.

import types from "wasi:http/types@0.3.0";
import atomics from "wasi:keyvalue/atomics@0.2.0-draft";
import store from "wasi:keyvalue/store@0.2.0-draft";

export const handler = {
  async handle(request) {
    const visits = atomics.increment(store.open("visits"), "all", 1);
    return reply(200, `Hello, visitor ${visits}!\n`);
  },
};

function reply(status, text) {
  const headers = types.Fields.fromList([["content-type", bytes("text/plain; charset=utf-8")]]);
  const body = wit.Stream.from([bytes(text)], wit.Stream.U8);
  const trailers = wit.Future.from({ tag: "ok", val: null }, wit.Future.RESULT_OPTION_OTHER_ERROR_CODE);
  const [response] = types.Response.new(headers, body.readable, trailers.readable);
  response.setStatusCode(status);
  return response;
}

// JavaScript's strings as UTF-8: there is no TextEncoder here.
function bytes(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
}
