#include "io/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/http/http2_stream.h"
#include "io/http/listener.h"
#include "io/loop.h"

namespace weft {

bool Allowance::spend(Time now) {
  if (at_ != Time{}) {
    double seconds = std::chrono::duration<double>(now - at_).count();
    left_ = std::min(max_, left_ + seconds * per_second_);
  }
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

// What nghttp2 calls. Everything here only changes states: the serving side is told in dispatch.
class Http2Callbacks {
 public:
  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* made = make();
    return made;
  }

 private:
  static Http2Session& session_of(void* user) { return *static_cast<Http2Session*>(user); }
  static Http2Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static std::string_view text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    CHECK(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_closed);
    return made;
  }

  static int begin_headers(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    Http2Session& session = session_of(user);
    std::int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    session.head_due_ = session.listener_->loop().now() + session.listener_->limits().head_timeout;
    session.note_due(session.head_due_);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      if (Http2Stream* stream = stream_of(raw, id)) stream->begin_trailers();
      return 0;
    }
    auto* stream = new Http2Stream(session, id);
    nghttp2_session_set_stream_user_data(raw, id, stream);
    session.opened(*stream);
    return 0;
  }

  static int header(nghttp2_session* raw, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user) {
    Http2Stream* stream = stream_of(raw, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (!stream->add_field(text(name, name_size), text(value, value_size))) {
      session_of(user).calm("a head far beyond the limit");
    }
    return 0;
  }

  // Without it nghttp2 would leave such a header out, and a proxy before us might not.
  static int invalid_header(nghttp2_session* raw, const nghttp2_frame* frame, const std::uint8_t*,
                            std::size_t, const std::uint8_t*, std::size_t, std::uint8_t, void*) {
    if (Http2Stream* stream = stream_of(raw, frame->hd.stream_id)) stream->bad_field();
    return 0;
  }

  static int frame_received(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    Http2Session& session = session_of(user);
    Http2Stream* stream = stream_of(raw, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.head_due_ = Http2Session::Time::max();
        session.control_.earn();
        if (stream == nullptr) break;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
          stream->end_head(ends);
        } else if (ends) {
          stream->end_body();
        }
        break;
      case NGHTTP2_DATA:
        if (frame->data.hd.length == frame->data.padlen) spend_control(session);
        if (ends && stream != nullptr) stream->end_body();
        break;
      case NGHTTP2_SETTINGS: session.greeted_ = true; [[fallthrough]];
      case NGHTTP2_PING:
      case NGHTTP2_PRIORITY:
      case NGHTTP2_WINDOW_UPDATE: spend_control(session); break;
      case NGHTTP2_RST_STREAM:
        // Of a stream that is over on both sides it costs nobody anything: curl sends one when it
        // is done with the answer.
        stream == nullptr ? spend_control(session) : spend_reset(session);
        break;
      default: break;
    }
    return 0;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    spend_reset(session_of(user));
    return 0;
  }

  static int data(nghttp2_session* raw, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                  std::size_t size, void* user) {
    Http2Session& session = session_of(user);
    session.useful_ += size;
    for (; session.useful_ >= kHttp2UsefulBytes; session.useful_ -= kHttp2UsefulBytes) {
      session.control_.earn();
    }
    if (Http2Stream* stream = stream_of(raw, id)) {
      stream->add_data({bytes, size});
    } else {
      nghttp2_session_consume(raw, id, size);
    }
    return 0;
  }

  static int frame_sent(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS &&
        frame->hd.type != NGHTTP2_RST_STREAM) {
      return 0;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      // What we reset for our own reasons is not the client's doing.
      std::uint32_t error = frame->rst_stream.error_code;
      if (error != NGHTTP2_NO_ERROR && error != NGHTTP2_INTERNAL_ERROR && error != NGHTTP2_CANCEL) {
        spend_reset(session_of(user));
      }
      return 0;
    }
    // Some clients open their windows anew for each frame, for the stream and the connection.
    Http2Session& session = session_of(user);
    session.control_.earn();
    session.control_.earn();
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!ends) return 0;
    if (Http2Stream* stream = stream_of(raw, frame->hd.stream_id)) stream->sent_end();
    return 0;
  }

  // A response whose head is too long, or that came when its stream had ended.
  static int frame_not_sent(nghttp2_session* raw, const nghttp2_frame* frame, int why, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS || why == NGHTTP2_ERR_STREAM_CLOSED ||
        why == NGHTTP2_ERR_STREAM_CLOSING || stream_of(raw, frame->hd.stream_id) == nullptr) {
      return 0;
    }
    log::warn("http", "the head of a response cannot be sent over HTTP/2",
              {{"reason", nghttp2_strerror(why)}});
    nghttp2_submit_rst_stream(raw, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
    return 0;
  }

  static int stream_closed(nghttp2_session* raw, std::int32_t id, std::uint32_t, void* user) {
    Http2Stream* stream = stream_of(raw, id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(raw, id, nullptr);
    stream->closed();
    session_of(user).closed(*stream);
    return 0;
  }

  static void spend_control(Http2Session& session) {
    if (!session.control_.spend(session.listener_->loop().now())) {
      session.calm("too many frames that bring nothing");
    }
  }
  static void spend_reset(Http2Session& session) {
    if (!session.resets_.spend(session.listener_->loop().now())) {
      session.calm("too many streams reset");
    }
  }
};

Http2Session::Http2Session(std::shared_ptr<HttpListener> listener, std::string peer,
                           std::function<void()> schedule)
    : listener_(std::move(listener)),
      peer_(std::make_shared<const std::string>(std::move(peer))),
      schedule_(std::move(schedule)),
      held_(std::make_shared<std::size_t>(0)),
      resets_(kHttp2ResetsMax, kHttp2ResetsPerSecond),
      control_(kHttp2ControlMax, kHttp2ControlPerSecond) {
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kHttp2AcksMax);
  // Resets are counted here: nghttp2 would count those of streams that are over as well, and end a
  // connection that has had a thousand calls by curl.
  constexpr auto kUncounted = std::numeric_limits<std::uint64_t>::max();
  nghttp2_option_set_stream_reset_rate_limit(option, kUncounted, kUncounted);
  nghttp2_option_set_max_send_header_block_length(option, kHttp2HeadSentMax);
  int made = nghttp2_session_server_new2(&session_, Http2Callbacks::table(), this, option);
  nghttp2_option_del(option);
  if (made != 0) throw std::bad_alloc();

  const HttpLimits& limits = listener_->limits();
  // The window of a stream is the protocol's own, one byte less than kBodyBuffer: another would
  // hold only once the client has seen it.
  std::array<nghttp2_settings_entry, 2> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kHttp2StreamsMax},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.head_bytes_max)},
  }};
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
        0);
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              static_cast<std::int32_t>(kHttp2BodyBuffer)) == 0);
  // The client's preface is its first head.
  head_due_ = due_ = listener_->loop().now() + limits.head_timeout;
}

Http2Session::~Http2Session() {
  shut();
  nghttp2_session_del(session_);
}

void Http2Session::opened(Http2Stream& stream) {
  stream.place = streams_.size();
  streams_.push_back(&stream);
  idle_due_ = Time::max();
}

// Drops the session's hold of it; the list of what is to be done may still have one.
void Http2Session::closed(Http2Stream& stream) {
  CHECK(streams_[stream.place] == &stream);
  streams_[stream.place] = streams_.back();
  streams_[stream.place]->place = stream.place;
  streams_.pop_back();
  stream.unref();
}

void Http2Session::touch(Http2Stream& stream) {
  if (stream.touched) return;
  stream.touched = true;
  stream.ref();
  touched_.push_back(&stream);
  schedule_();
}

void Http2Session::receive(BytesView bytes) {
  if (ended_) return;
  ssize_t count = nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
  if (count < 0) {
    log::debug("http2", "a connection is broken off",
               {{"peer", *peer_}, {"reason", nghttp2_strerror(static_cast<int>(count))}});
    terminate(count == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  } else if (greeted_ && head_due_ != Time::max() && streams_.empty()) {
    head_due_ = Time::max();
  }
  dispatch();
  schedule_();
}

void Http2Session::dispatch() {
  // What is touched meanwhile has its turn when this one ends.
  std::vector<Http2Stream*> touched = std::exchange(touched_, {});
  for (Http2Stream* each : touched) {
    each->touched = false;
    each->dispatch();
    // It may have begun its response, or closed: settle looks at it again.
    if (!each->touched) touch(*each);
    each->unref();
  }
}

void Http2Session::settle(Buffer& out) {
  std::vector<Http2Stream*> touched = std::exchange(touched_, {});
  for (Http2Stream* each : touched) {
    each->touched = false;
    each->flush();
  }
  while (out.size() < kWriteBuffer) {
    const std::uint8_t* data = nullptr;
    ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) {
      if (size < 0) failed_ = ended_ = true;
      break;
    }
    out.append({data, static_cast<std::size_t>(size)});
  }
  for (Http2Stream* each : touched) {
    each->dispatch();
    each->unref();
  }
  if (streams_.empty() && idle_due_ == Time::max()) {
    idle_due_ = listener_->loop().now() + listener_->limits().idle_timeout;
    note_due(idle_due_);
  }
}

bool Http2Session::done() const {
  if (failed_) return true;
  bool over = ended_ || (goaway_ && streams_.empty());
  return nghttp2_session_want_write(session_) == 0 &&
         (over || nghttp2_session_want_read(session_) == 0);
}

void Http2Session::calm(std::string_view reason) {
  if (ended_) return;
  log::debug("http2", "a client is sent away", {{"peer", *peer_}, {"reason", reason}});
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::terminate(std::uint32_t error) {
  if (std::exchange(ended_, true)) return;
  nghttp2_session_terminate_session(session_, error);
  schedule_();
}

void Http2Session::drain() {
  if (std::exchange(draining_, true)) return;
  nghttp2_submit_shutdown_notice(session_);
  drain_due_ = listener_->loop().now() + kDrainIdle;
  note_due(drain_due_);
  schedule_();
}

void Http2Session::shut() {
  ended_ = true;
  std::vector<Http2Stream*> streams = std::exchange(streams_, {});
  std::vector<Http2Stream*> touched = std::exchange(touched_, {});
  for (Http2Stream* each : streams) each->lost();
  for (Http2Stream* each : streams) {
    each->dispatch();
    each->unref();
  }
  for (Http2Stream* each : touched) {
    each->touched = false;
    each->dispatch();
    each->unref();
  }
}

void Http2Session::on_time(Time now) {
  due_ = Time::max();
  if (head_due_ <= now || idle_due_ <= now) {
    head_due_ = idle_due_ = Time::max();
    terminate(NGHTTP2_NO_ERROR);
  }
  if (drain_due_ <= now) {
    drain_due_ = Time::max();
    goaway_ = true;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                          nullptr, 0);
  }
  // None of them closes in this: nghttp2 lets go of a stream only as it sends or receives.
  for (Http2Stream* each : streams_) each->on_time(now);
  note_due(std::min({head_due_, idle_due_, drain_due_}));
  schedule_();
}

}  // namespace weft
