// HTTP over wasi:blobstore: PUT /o/NAME streams a body into an object (?late=1 says the object's
// name after its bytes, ?drop=1 never finishes it), GET /o/NAME streams it out (?first=N&last=N: a
// range), GET /size/NAME, DELETE /o/NAME, PUT /small/NAME?text=T, GET /small/NAME, GET /names, POST
// /copy/A?to=B, POST /move/A?to=B,
// DELETE /all, PUT /fill/NAME?mib=N (so many MiB of the guest's own), GET /drain/NAME (counts what
// comes). The container is "assets"; ?in=NAME names another.

#include <cstdlib>
#include <string>

#include "weft/blobstore.h"
#include "weft/http_p2.h"

namespace weft::http {
namespace {

void fail(Out out, const Error& error) {
  Response(out, 500).write(error.message + "\n");
}

// What comes goes on at once: nothing of it is held here. What the store does not take is read all
// the same, so that the client hears why.
void send_on(Request& request, blobstore::Writer& writer) {
  bool taken = true;
  while (auto piece = request.read()) taken = taken && writer.write(*piece);
}

void put(const blobstore::Container& container, std::string_view name, Request& request, Out out) {
  auto writer = container.write(name);
  if (!writer) return fail(out, writer.error());
  send_on(request, *writer);
  if (!request.query("drop").empty()) {
    Response(out, 202).write("dropped\n");
    return;
  }
  if (auto done = writer->finish(); !done) return fail(out, done.error());
  Response(out, 201).write("stored\n");
}

// The name comes last, as some libraries have it.
void put_late(const blobstore::Container& container, std::string_view name, Request& request,
              Out out) {
  auto writer = blobstore::Writer::make();
  if (!writer) return fail(out, writer.error());
  send_on(request, *writer);
  if (auto bound = container.bind(name, *writer); !bound) return fail(out, bound.error());
  if (auto done = writer->finish(); !done) return fail(out, done.error());
  Response(out, 201).write("stored\n");
}

void get(const blobstore::Container& container, std::string_view name, const Request& request,
         Out out) {
  blobstore::Range range;
  std::string first(request.query("first"));
  std::string last(request.query("last"));
  if (!first.empty()) range.first = std::strtoull(first.c_str(), nullptr, 10);
  if (!last.empty()) range.last = std::strtoull(last.c_str(), nullptr, 10);
  auto reader = container.read(name, range);
  if (!reader) {
    Response(out, 404).write(reader.error().message + "\n");
    return;
  }
  Response response(out, 200, "application/octet-stream");
  for (;;) {
    auto piece = reader->read();
    if (!piece || !*piece) return;
    if (!response.write(**piece)) return;
  }
}

// Bytes that the guest has, so that nothing but the store is measured.
void fill(const blobstore::Container& container, std::string_view name, const Request& request,
          Out out) {
  std::string block(64 << 10, '\0');
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>(i * 31 + i / 251);
  auto writer = container.write(name);
  if (!writer) return fail(out, writer.error());
  std::string mib(request.query("mib"));
  std::size_t blocks = std::strtoull(mib.c_str(), nullptr, 10) << 4;
  bool taken = true;
  for (std::size_t i = 0; i < blocks && taken; ++i) taken = writer->write(block);
  if (auto done = writer->finish(); !done) return fail(out, done.error());
  Response(out, 201).write("stored\n");
}

void drain(const blobstore::Container& container, std::string_view name, Out out) {
  auto reader = container.read(name);
  if (!reader) return fail(out, reader.error());
  std::uint64_t bytes = 0;
  for (;;) {
    auto piece = reader->read();
    if (!piece) return fail(out, piece.error());
    if (!*piece) break;
    bytes += (*piece)->size();
  }
  Response(out, 200).write(std::to_string(bytes) + "\n");
}

void list(const blobstore::Container& container, Out out) {
  auto names = container.names();
  if (!names) return fail(out, names.error());
  std::string lines;
  for (const std::string& name : *names) lines += name + "\n";
  Response(out, 200).write(lines);
}

void done(Result<> outcome, Out out) {
  if (!outcome) return fail(out, outcome.error());
  Response(out, 200).write("done\n");
}

}  // namespace

void handle(Request& request, Out out) {
  std::string in(request.query("in"));
  if (in.empty()) in = "assets";
  auto container = blobstore::open(in);
  if (!container) return fail(out, container.error());
  auto path = request.path();
  auto method = request.method();
  std::string to(request.query("to"));
  if (path == "/names") {
    list(*container, out);
  } else if (path == "/all" && method == "DELETE") {
    done(container->clear(), out);
  } else if (path.starts_with("/o/") && method == "GET") {
    get(*container, path.substr(3), request, out);
  } else if (path.starts_with("/o/") && method == "PUT") {
    std::string name(path.substr(3));
    request.query("late").empty() ? put(*container, name, request, out)
                                  : put_late(*container, name, request, out);
  } else if (path.starts_with("/o/") && method == "DELETE") {
    done(container->remove(path.substr(3)), out);
  } else if (path.starts_with("/fill/") && method == "PUT") {
    fill(*container, path.substr(6), request, out);
  } else if (path.starts_with("/drain/")) {
    drain(*container, path.substr(7), out);
  } else if (path.starts_with("/small/") && method == "PUT") {
    done(container->put(path.substr(7), request.query("text")), out);
  } else if (path.starts_with("/small/") && method == "GET") {
    auto text = container->get(path.substr(7));
    if (!text) return fail(out, text.error());
    Response(out, 200).write(text->value_or("(none)") + "\n");
  } else if (path.starts_with("/size/")) {
    auto info = container->info(path.substr(6));
    if (!info) return fail(out, info.error());
    Response(out, 200).write(std::to_string(info->size) + "\n");
  } else if (path.starts_with("/copy/")) {
    done(blobstore::copy({in, path.substr(6)}, {in, to}), out);
  } else if (path.starts_with("/move/")) {
    done(blobstore::move({in, path.substr(6)}, {in, to}), out);
  } else {
    Response(out, 404).write("GET, PUT or DELETE /o/NAME, GET /names\n");
  }
}

}  // namespace weft::http
