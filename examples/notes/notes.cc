// Notes with pictures, over HTTP; what they are kept in is in store.h.
//
//   GET    /api/notes?q=TEXT         all, or those with the text in them
//   POST   /api/notes                a new one: the body is its text
//   GET    /api/notes/ID             one, which is counted
//   DELETE /api/notes/ID             with its picture
//   POST   /api/notes/ID/join/OTHER  the other one's text goes into this one
//   PUT    /api/notes/ID/picture     the body is the picture; GET gives it, with ?first= and ?last=
//   a part GET    /api/pictures             the notes that have one GET    /api/searches what was
//   searched for, and how often
//
// Who changes something sends the key: "authorization: Bearer KEY".

#include <algorithm>
#include <charconv>
#include <ctime>

#include "store.h"
#include "text.h"
#include "weft/http.h"

namespace weft::http {
namespace {

constexpr std::string_view kJson = "application/json";

void fail(Out out, const notes::Failure& failure) {
  Response response(out, failure.status, kJson);
  response.write(notes::Json('{').add("error", notes::quoted(failure.message)).text() + "\n");
}

std::string json_of(const notes::Note& note) {
  return notes::Json('{')
      .add("id", std::to_string(note.id))
      .add("text", notes::quoted(note.text))
      .add("created", std::to_string(note.created))
      .add("reads", std::to_string(note.reads))
      .text();
}

void answer(Out out, std::uint16_t status, const notes::Json& json) {
  Response(out, status, kJson).write(json.text() + "\n");
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

void list(const Request& request, Out out) {
  std::string part = request.parameter("q").value_or("");
  if (!notes::is_text(part)) return fail(out, {400, "q is no text"});
  auto found = notes::find(part);
  if (!found) return fail(out, found.error());
  notes::Json all('[');
  for (const notes::Note& note : *found) all.add(json_of(note));
  answer(out, 200,
         notes::Json('{').add("title", notes::quoted(notes::title())).add("notes", all.text()));
}

void add(Request& request, Out out) {
  auto text = request.read_all(notes::kTextMax);
  if (!text) return fail(out, {413, text.error().message});
  if (!notes::is_text(*text) || text->find('\0') != std::string::npos) {
    return fail(out, {400, "the body is no text"});
  }
  auto note = notes::add(*text, static_cast<std::int64_t>(std::time(nullptr)));
  if (!note) return fail(out, note.error());
  Response(out, 201, kJson).write(json_of(*note) + "\n");
}

void one(std::int64_t id, Out out) {
  auto note = notes::read(id);
  if (!note) return fail(out, note.error());
  if (!*note) return fail(out, {404, "there is no such note"});
  Response(out, 200, kJson).write(json_of(**note) + "\n");
}

void done(const notes::Outcome<bool>& outcome, Out out) {
  if (!outcome) return fail(out, outcome.error());
  if (!*outcome) return fail(out, {404, "there is no such note"});
  answer(out, 200, notes::Json('{'));
}

// The picture goes on piece by piece: nobody holds all of it.
void put_picture(std::int64_t id, Request& request, Out out) {
  auto container = notes::pictures();
  if (!container) return fail(out, container.error());
  auto writer = container->write(std::to_string(id));
  if (!writer) return fail(out, {503, writer.error().message});
  while (auto piece = request.read()) {
    if (!writer->write(*piece)) break;
  }
  if (auto kept = writer->finish(); !kept) return fail(out, {503, kept.error().message});
  auto info = container->info(std::to_string(id));
  if (!info) return fail(out, {503, info.error().message});
  answer(out, 201, notes::Json('{').add("bytes", std::to_string(info->size)));
}

void get_picture(std::int64_t id, const Request& request, Out out) {
  auto container = notes::pictures();
  if (!container) return fail(out, container.error());
  std::string name = std::to_string(id);
  auto there = container->exists(name);
  if (!there) return fail(out, {503, there.error().message});
  if (!*there) return fail(out, {404, "the note has no picture"});
  blobstore::Range range;
  if (auto first = number(request.query("first"))) range.first = static_cast<std::uint64_t>(*first);
  if (auto last = number(request.query("last"))) range.last = static_cast<std::uint64_t>(*last);
  auto reader = container->read(name, range);
  if (!reader) return fail(out, {503, reader.error().message});
  Response response(
      out, 200,
      Headers{{"content-type", "application/octet-stream"}, {"x-content-type-options", "nosniff"}});
  for (;;) {
    auto piece = reader->read();
    if (!piece || !*piece || !response.write(**piece)) return;
  }
}

void list_pictures(Out out) {
  auto container = notes::pictures();
  if (!container) return fail(out, container.error());
  auto names = container->names();
  if (!names) return fail(out, {503, names.error().message});
  notes::Json all('[');
  for (const std::string& name : *names) all.add(name);
  answer(out, 200, all);
}

void list_searches(Out out) {
  auto found = notes::searches();
  if (!found) return fail(out, found.error());
  notes::Json all('[');
  for (const auto& [text, count] : *found) {
    all.add(notes::Json('{').add("text", notes::quoted(text)).add("count", count).text());
  }
  answer(out, 200, all);
}

// The parts of a path behind /api/.
std::vector<std::string_view> parts(std::string_view path) {
  path.remove_prefix(std::min(path.size(), std::string_view("/api/").size()));
  std::vector<std::string_view> all;
  while (true) {
    std::size_t end = path.find('/');
    all.push_back(path.substr(0, end));
    if (end == path.npos) return all;
    path.remove_prefix(end + 1);
  }
}

bool let_in(const Request& request, Out out) {
  constexpr std::string_view kBearer = "Bearer ";
  std::string given = request.header("authorization").value_or("");
  auto may =
      notes::may_write(given.starts_with(kBearer) ? std::string_view(given).substr(kBearer.size())
                                                  : std::string_view());
  if (!may) return fail(out, may.error()), false;
  if (!*may) return fail(out, {401, "send the key: authorization: Bearer KEY"}), false;
  return true;
}

void route(const std::vector<std::string_view>& path, const std::string& method, Request& request,
           Out out) {
  bool notes = path[0] == "notes";
  if (path.size() == 1 && method == "GET") {
    if (notes) return list(request, out);
    if (path[0] == "pictures") return list_pictures(out);
    if (path[0] == "searches") return list_searches(out);
  }
  if (path.size() == 1 && notes && method == "POST") return add(request, out);
  auto id = path.size() > 1 && notes ? number(path[1]) : std::nullopt;
  if (!id) return fail(out, {404, "there is /api/notes, /api/pictures and /api/searches"});
  if (path.size() == 2 && method == "GET") return one(*id, out);
  if (path.size() == 2 && method == "DELETE") return done(notes::remove(*id), out);
  if (path.size() == 3 && path[2] == "picture" && method == "PUT") {
    return put_picture(*id, request, out);
  }
  if (path.size() == 3 && path[2] == "picture" && method == "GET") {
    return get_picture(*id, request, out);
  }
  auto other = path.size() == 4 && path[2] == "join" ? number(path[3]) : std::nullopt;
  if (other && method == "POST") return done(notes::join(*id, *other), out);
  fail(out, {405, "this is not done to a note"});
}

}  // namespace

void handle(Request& request, Out out) {
  std::string method = request.method();
  if (method != "GET" && method != "HEAD" && !let_in(request, out)) return;
  std::string path(request.path());
  route(parts(path), method == "HEAD" ? "GET" : method, request, out);
}

}  // namespace weft::http
