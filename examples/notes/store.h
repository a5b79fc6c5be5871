// All that the notes do with the capabilities of their host: which system is behind them is none of
// their business.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/blobstore.h"
#include "weft/config.h"
#include "weft/http.h"
#include "weft/keyvalue.h"
#include "weft/secrets.h"
#include "weft/sql.h"

namespace notes {

// Why something was not done, as a status of HTTP and in words.
struct Failure {
  std::uint16_t status = 500;
  std::string message;
};

template <class T = void>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failed(const weft::Error& error) {
  return std::unexpected(Failure{503, error.message});
}
inline std::unexpected<Failure> failed(const weft::sql::Error& error) {
  using weft::sql::Kind;
  bool conflict = error.kind == Kind::kUnique || error.kind == Kind::kConflict;
  bool wrong = error.kind == Kind::kCheck || error.kind == Kind::kNotNull;
  if (error.kind == Kind::kInvalidParameter) return std::unexpected(Failure{422, error.message});
  // What the database says is for its operator; who asked gets what every database means by it.
  if (conflict) return std::unexpected(Failure{409, "there is such a note already"});
  if (wrong) return std::unexpected(Failure{422, "a note has some text"});
  return std::unexpected(Failure{503, error.message});
}

// Stands before what may fail, and hands the failure on.
#define NOTES_TRY(name, ...)                                 \
  auto name##_or = (__VA_ARGS__);                            \
  if (!name##_or) return ::notes::failed(name##_or.error()); \
  auto& name = *name##_or

inline constexpr std::size_t kTextMax = 16'384;

struct Note {
  std::int64_t id = 0;
  std::string text;
  std::int64_t created = 0;  // Seconds since 1970.
  std::uint64_t reads = 0;
};

inline std::string title() {
  return weft::config::get_or("title", "Notes");
}

// Whether this is the key that writers need.
inline Outcome<bool> may_write(std::string_view key) {
  NOTES_TRY(secret, weft::secrets::get("notes-key"));
  std::string right = secret.reveal();
  // Takes as long whatever of it is right.
  unsigned char differs = right.size() == key.size() ? 0 : 1;
  for (std::size_t i = 0; i < key.size() && !right.empty(); ++i) {
    differs |= static_cast<unsigned char>(key[i] ^ right[i % right.size()]);
  }
  return differs == 0 && !key.empty();
}

inline Outcome<weft::sql::Database> database() {
  NOTES_TRY(opened, weft::sql::open("notes"));
  auto made = opened.execute(
      "CREATE TABLE IF NOT EXISTS note (id BIGINT PRIMARY KEY, "
      "text TEXT NOT NULL CHECK (text <> ''), created BIGINT NOT NULL)");
  if (!made) return failed(made.error());
  return std::move(opened);
}

inline Outcome<weft::keyvalue::Bucket> counters() {
  NOTES_TRY(bucket, weft::keyvalue::open("counters"));
  return std::move(bucket);
}

inline Outcome<weft::blobstore::Container> pictures() {
  NOTES_TRY(container, weft::blobstore::open("pictures"));
  return std::move(container);
}

inline std::string reads_key(std::int64_t id) {
  return "reads/" + std::to_string(id);
}
// Any text may be searched for: keys may be any.
inline std::string search_key(std::string_view text) {
  return "searched/" + std::string(text);
}

inline Outcome<Note> add(std::string_view text, std::int64_t now) {
  auto bucket = counters();
  if (!bucket) return std::unexpected(bucket.error());
  NOTES_TRY(id, bucket->increment("last-id"));
  auto notes = database();
  if (!notes) return std::unexpected(notes.error());
  Note note{static_cast<std::int64_t>(id), std::string(text), now};
  auto put = notes->execute("INSERT INTO note (id, text, created) VALUES (?, ?, ?)",
                            {note.id, note.text, note.created});
  if (!put) return failed(put.error());
  return note;
}

// Those whose text has `part` in it, the newest first.
inline Outcome<std::vector<Note>> find(std::string_view part) {
  auto notes = database();
  if (!notes) return std::unexpected(notes.error());
  // Nothing in it is a pattern. Databases do not agree on whether LIKE tells "A" from "a".
  std::string pattern = "%";
  for (char c : part) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  pattern += '%';
  NOTES_TRY(
      found,
      notes->query("SELECT id, text, created FROM note WHERE LOWER(text) LIKE LOWER(?) ESCAPE '!' "
                   "ORDER BY id DESC LIMIT 100",
                   {pattern}));
  auto bucket = counters();
  if (!bucket) return std::unexpected(bucket.error());
  std::vector<Note> all;
  std::vector<std::string> keys;
  for (const auto& row : found.rows) {
    all.push_back({row[0].integer(), std::string(row[1].text()), row[2].integer()});
    keys.push_back(reads_key(all.back().id));
  }
  NOTES_TRY(reads, bucket->get_many(keys));
  for (std::size_t i = 0; i < all.size() && i < reads.size(); ++i) {
    if (reads[i]) all[i].reads = std::strtoull(reads[i]->c_str(), nullptr, 10);
  }
  if (part.empty()) return all;
  if (auto counted = bucket->increment(search_key(part)); !counted) return failed(counted.error());
  return all;
}

// One note, which has been read once more now.
inline Outcome<std::optional<Note>> read(std::int64_t id) {
  auto notes = database();
  if (!notes) return std::unexpected(notes.error());
  NOTES_TRY(found, notes->query("SELECT text, created FROM note WHERE id = ?", {id}));
  if (found.rows.empty()) return std::nullopt;
  auto bucket = counters();
  if (!bucket) return std::unexpected(bucket.error());
  NOTES_TRY(reads, bucket->increment(reads_key(id)));
  return Note{id, std::string(found.rows[0][0].text()), found.rows[0][1].integer(), reads};
}

// What was searched for, with how often.
inline Outcome<std::vector<std::pair<std::string, std::string>>> searches() {
  auto bucket = counters();
  if (!bucket) return std::unexpected(bucket.error());
  NOTES_TRY(keys, bucket->keys());
  std::erase_if(keys, [](const std::string& key) { return !key.starts_with(search_key("")); });
  std::ranges::sort(keys);
  NOTES_TRY(counts, bucket->get_many(keys));
  std::vector<std::pair<std::string, std::string>> all;
  for (std::size_t i = 0; i < keys.size() && i < counts.size(); ++i) {
    all.emplace_back(keys[i].substr(search_key("").size()), counts[i].value_or("0"));
  }
  return all;
}

// The note with its picture and its counter; in the database it goes with all that belongs to it.
inline Outcome<bool> remove(std::int64_t id) {
  auto notes = database();
  if (!notes) return std::unexpected(notes.error());
  NOTES_TRY(gone, notes->execute("DELETE FROM note WHERE id = ?", {id}));
  if (gone == 0) return false;
  auto container = pictures();
  if (!container) return std::unexpected(container.error());
  if (auto done = container->remove(std::to_string(id)); !done) return failed(done.error());
  auto bucket = counters();
  if (!bucket) return std::unexpected(bucket.error());
  if (auto done = bucket->remove(reads_key(id)); !done) return failed(done.error());
  return true;
}

// Puts the text of two notes into the first and takes the second away: both or neither.
inline Outcome<bool> join(std::int64_t first, std::int64_t second) {
  auto notes = database();
  if (!notes) return std::unexpected(notes.error());
  NOTES_TRY(transaction, notes->begin());
  NOTES_TRY(found, transaction.query("SELECT text FROM note WHERE id = ?", {second}));
  if (found.rows.empty()) return false;
  std::string more = "\n" + std::string(found.rows[0][0].text());
  NOTES_TRY(kept, transaction.query("SELECT text FROM note WHERE id = ?", {first}));
  if (kept.rows.empty()) return false;
  std::string text = std::string(kept.rows[0][0].text()) + more;
  if (text.size() > kTextMax) return std::unexpected(Failure{422, "it would be too long"});
  NOTES_TRY(gone, transaction.execute("DELETE FROM note WHERE id = ?", {second}));
  NOTES_TRY(changed, transaction.execute("UPDATE note SET text = ? WHERE id = ?", {text, first}));
  if (auto done = transaction.commit(); !done) return failed(done.error());
  return gone + changed == 2;
}

}  // namespace notes
