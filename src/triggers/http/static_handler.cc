#include "triggers/http/static_handler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "triggers/http/static_file.h"

namespace weft {
namespace {

constexpr std::string_view kIndex = "index.html";

// Opens a file below the folder; symbolic links count as long as they stay in it.
int open_below(int folder, const std::string& name) {
  open_how how{};
  // A pipe is not waited for: it is not served either.
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = 0;
  do {
    fd = ::syscall(SYS_openat2, folder, name.empty() ? "." : name.c_str(), &how, sizeof how);
  } while (fd < 0 && errno == EINTR);
  return static_cast<int>(fd);
}

// What goes to the pool and comes back: nothing of the loop is in it.
struct Work {
  std::shared_ptr<const StaticFolder> folder;
  std::string name;
  Fd file;
  struct stat info{};
  int problem = 0;  // An errno.
  bool is_folder = false;
  std::uint64_t offset = 0;
  std::size_t wanted = 0;
  std::vector<std::uint8_t> bytes;

  // Opens what the name says: the index of a folder that is named with its slash.
  void open() {
    if (!open_one(name)) return;
    if (S_ISDIR(info.st_mode)) {
      if (!name.empty() && !name.ends_with('/')) {
        is_folder = true;
        return;
      }
      name += kIndex;
      if (!open_one(name)) return;
    }
    if (!S_ISREG(info.st_mode)) problem = ENOENT;
  }
  bool open_one(const std::string& path) {
    file = Fd(open_below(folder->fd(), path));
    if (!file || ::fstat(file.get(), &info) != 0) problem = errno;
    return problem == 0;
  }
  // Lets go of what a client that takes nothing would hold.
  void rest() {
    file.reset();
    bytes = {};
  }
  // Opens the same file again; a file that has taken its place since is another.
  bool reopen() {
    struct stat before = info;
    if (!open_one(name)) return false;
    bool same = info.st_dev == before.st_dev && info.st_ino == before.st_ino &&
                info.st_size == before.st_size && info.st_mtim.tv_sec == before.st_mtim.tv_sec &&
                info.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
    if (!same) problem = ESTALE;
    return same;
  }
  void read() {
    if (!file && !reopen()) return bytes.clear();
    bytes.resize(wanted);
    std::size_t got = 0;
    while (got < wanted) {
      ssize_t count =
          ::pread(file.get(), bytes.data() + got, wanted - got, static_cast<off_t>(offset + got));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) problem = errno;
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
  }
};

}  // namespace

Result<std::shared_ptr<const StaticFolder>> StaticFolder::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    Errc code = errno == ENOENT ? Errc::kNotFound : errno == EACCES ? Errc::kDenied : Errc::kIo;
    return failure(code, fmt::format("the folder of files {}: {}", path, std::strerror(errno)));
  }
  return std::shared_ptr<const StaticFolder>(new StaticFolder(std::move(fd)));
}

// One response. Referred to by the reads under way, whose answers come to the loop, and by itself
// while it has the exchange.
class StaticHandler::Transfer final : public ExchangeEvents,
                                      public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(StaticHandler& handler, HttpExchange::Ptr exchange, std::string name)
      : handler_(&handler),
        exchange_(std::move(exchange)),
        work_(std::make_shared<Work>()),
        pause_(exchange_->loop(), [this] { go_on(); }) {
    work_->folder = handler.folder_;
    work_->name = std::move(name);
  }

  void start() {
    self_ = shared_from_this();
    handler_->transfers_.insert(this);
    exchange_->listen(this);
    if (!submit(
            [](Work& work) {
              work.open();
              if (work.problem != 0 || work.is_folder) return;
              work.wanted = static_cast<std::size_t>(std::min<std::uint64_t>(
                  static_cast<std::uint64_t>(work.info.st_size), kReadBytes));
              work.read();
            },
            &Transfer::opened)) {
      answer(503, "Service Unavailable\n", {"retry-after", "1"});
    }
  }

  // Lets go of the exchange, which breaks off what is not finished.
  void end() {
    std::shared_ptr<Transfer> keep = std::move(self_);
    if (keep == nullptr) return;
    pause_.disarm();
    handler_->transfers_.erase(this);
    exchange_->listen(nullptr);
    exchange_.reset();
  }

 private:
  void on_writable() override { go_on(); }
  void on_gone() override { end(); }

  bool submit(void (*work)(Work&), void (Transfer::*then)()) {
    auto submitted = handler_->pool_.submit(
        exchange_->loop(), [shared = work_, work] { work(*shared); },
        [self = shared_from_this(), then] {
          self->reading_ = false;
          if (self->self_ != nullptr) ((*self).*then)();
        });
    reading_ = submitted.has_value();
    return reading_;
  }

  void opened() {
    const Work& work = *work_;
    if (work.is_folder) return redirect();
    if (work.problem != 0) return failed();
    std::string etag = etag_of(work.info);
    std::string modified = http_date(work.info.st_mtim.tv_sec);
    const RequestHead& request = exchange_->request();
    FileAnswer answer = answer_for(request, work.info, etag);
    std::string range;
    std::vector<Header> headers = {{"etag", etag}, {"last-modified", modified}};
    if (answer.status != 304) {
      headers.push_back({"accept-ranges", "bytes"});
      headers.push_back({"x-content-type-options", "nosniff"});
    }
    if (answer.status == 206) {
      range = fmt::format("bytes {}-{}/{}", answer.offset, answer.offset + answer.size - 1,
                          work.info.st_size);
    } else if (answer.status == 416) {
      range = fmt::format("bytes */{}", work.info.st_size);
    }
    if (!range.empty()) headers.push_back({"content-range", range});
    if (answer.status == 200 || answer.status == 206) {
      headers.push_back({"content-type", content_type_of(work.name)});
    }
    std::optional<std::uint64_t> length;
    if (answer.status != 304) length = answer.size;
    if (!exchange_->begin_response(answer.status, headers, length)) return end();
    at_ = answer.offset;
    end_ = request.method == "HEAD" ? at_ : at_ + answer.size;
    send();
  }

  // Writes what was read, of what is wanted, and goes on.
  void send() {
    const Work& work = *work_;
    std::uint64_t read_end = work.offset + work.bytes.size();
    if (at_ >= work.offset && at_ < std::min(read_end, end_)) {
      std::uint64_t count = std::min(read_end, end_) - at_;
      exchange_->write(BytesView(work.bytes).subspan(at_ - work.offset, count));
      at_ += count;
    } else if (at_ < end_ && reads_ > 0) {
      // It has become shorter, or cannot be read: the client must not take it for whole.
      return end();
    }
    go_on();
  }

  void go_on() {
    if (reading_ || self_ == nullptr) return;
    if (at_ >= end_) {
      exchange_->finish();
      return end();
    }
    // Many that wait with open files would leave none for anybody else.
    if (exchange_->writable() == 0) return work_->rest();
    ++reads_;
    work_->offset = at_;
    work_->wanted = static_cast<std::size_t>(std::min<std::uint64_t>(end_ - at_, kReadBytes));
    if (!submit([](Work& work) { work.read(); }, &Transfer::send)) {
      pause_.arm(Deadline::after(kPoolPause));
    }
  }

  // A folder without its slash: the links of its index would point elsewhere.
  void redirect() {
    std::string_view path = exchange_->request().path;
    std::size_t query = path.find('?');
    std::string location(path.substr(0, query));
    location += '/';
    if (query != std::string_view::npos) location += path.substr(query);
    answer(301, "Moved Permanently\n", {"location", location});
  }

  void failed() {
    switch (work_->problem) {
      case ENOENT:
      case ENOTDIR:
      case ENAMETOOLONG:
      case ELOOP:
      // It leaves the folder.
      case EXDEV:
      // It may not be read: whether it is there is nobody's business.
      case EACCES: return answer(404, "Not Found\n", {});
      default: break;
    }
    log::warn("http", "a file cannot be served",
              {{"file", work_->name}, {"error", std::strerror(work_->problem)}});
    answer(500, "Internal Server Error\n", {});
  }

  void answer(int status, std::string_view text, const Header& more) {
    std::vector<Header> headers = {{"content-type", "text/plain; charset=utf-8"}};
    if (!more.name.empty()) headers.push_back(more);
    if (exchange_->begin_response(status, headers, text.size())) {
      exchange_->write(as_bytes(text));
      exchange_->finish();
    }
    end();
  }

  StaticHandler* handler_;
  HttpExchange::Ptr exchange_;
  std::shared_ptr<Transfer> self_;
  std::shared_ptr<Work> work_;  // Shared with the pool while reading_.
  Timer pause_;
  bool reading_ = false;
  unsigned reads_ = 0;  // After the first one.
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
};

StaticHandler::StaticHandler(Pool& pool, std::shared_ptr<const StaticFolder> folder,
                             std::string_view route)
    : pool_(pool),
      folder_(std::move(folder)),
      strip_(static_cast<std::size_t>(std::max<std::ptrdiff_t>(std::ranges::count(route, '/'), 1) -
                                      1)) {}

StaticHandler::~StaticHandler() {
  while (!transfers_.empty()) (*transfers_.begin())->end();
}

void StaticHandler::handle(HttpExchange::Ptr exchange) {
  exchange->id = ids_.next();
  const RequestHead& request = exchange->request();
  auto refuse = [&](int status, std::string_view text, std::span<const Header> headers) {
    if (!exchange->begin_response(status, headers, text.size())) return;
    exchange->write(as_bytes(text));
    exchange->finish();
  };
  if (request.method != "GET" && request.method != "HEAD") {
    const Header allow[] = {{"allow", "GET, HEAD"}};
    return refuse(405, "Method Not Allowed\n", allow);
  }
  std::optional<std::string> name = file_of(request.path, strip_);
  if (!name) return refuse(404, "Not Found\n", {});
  std::make_shared<Transfer>(*this, std::move(exchange), std::move(*name))->start();
}

}  // namespace weft
