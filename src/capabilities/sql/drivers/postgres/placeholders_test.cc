// Shows which question marks of a statement are parameters and how the rest is passed on as it is.
#include "capabilities/sql/drivers/postgres/placeholders.h"

#include <gtest/gtest.h>

namespace weft::sql::postgres {
namespace {

std::string written(std::string_view text) {
  auto translated = to_postgres(text);
  return translated ? translated->text : "! " + to_text(translated.error());
}

TEST(Placeholders, are_numbered_in_their_order) {
  EXPECT_EQ(written("SELECT ?, ? WHERE a=?"), "SELECT $1, $2 WHERE a=$3");
  EXPECT_EQ(to_postgres("VALUES (?,?,?)")->parameters, 3u);
  EXPECT_EQ(written("SELECT ?::text"), "SELECT $1::text");
  EXPECT_EQ(written("SELECT a[?]"), "SELECT a[$1]");
  EXPECT_EQ(written("SELECT a[b[1]:n], x::text, y := ?"), "SELECT a[b[1]:n], x::text, y := $1");
  EXPECT_EQ(written("WHERE ?AND b"), "WHERE $1 AND b");
}

TEST(Placeholders, two_are_the_servers_operator) {
  EXPECT_EQ(written("SELECT j ?? ?"), "SELECT j ? $1");
  EXPECT_EQ(written("SELECT j ??| array[?]"), "SELECT j ?| array[$1]");
  EXPECT_EQ(written("SELECT j ??& a"), "SELECT j ?& a");
}

TEST(Placeholders, are_none_in_strings_names_and_comments) {
  for (std::string_view text :
       {"SELECT '?'", "SELECT 'it''s ?' ", "SELECT \"a?\"\"?\"", "SELECT 1 -- ?\n", "SELECT 1 -- ?",
        "/* ? /* ? */ ? */ SELECT 1", "SELECT E'\\'?'", "SELECT e'\\\\''?'", "SELECT $$ ? $$",
        "SELECT $a$ $$ ? $b$ ? $a$", "SELECT U&'?'", "SELECT 'open ?", "SELECT \"open ?",
        "SELECT /* open ?", "SELECT $q$ open ?", "SELECT $\xc3\xa9$ ? $\xc3\xa9$",
        "SELECT E'a'\n '\\' ?'"}) {
    EXPECT_EQ(written(text), text);
    EXPECT_EQ(to_postgres(text)->parameters, 0u) << text;
  }
}

TEST(Placeholders, come_again_after_them) {
  EXPECT_EQ(written("SELECT 'a\\' , ?"), "SELECT 'a\\' , $1") << "no escape without E";
  EXPECT_EQ(written("SELECT name'x', ?"), "SELECT name'x', $1");
  EXPECT_EQ(written("SELECT the'\\', ?"), "SELECT the'\\', $1") << "a word that ends in e";
  EXPECT_EQ(written("SELECT a$b$c, ?, d$b$"), "SELECT a$b$c, $1, d$b$") << "dollars in names";
  EXPECT_EQ(written("/**/?"), "/**/$1");
  EXPECT_EQ(written("-- x\r?"), "-- x\r$1") << "a return ends a comment";
  EXPECT_EQ(written("E'a' '\\' ?'"), "E'a' '\\' $1'") << "a string of its own";
  EXPECT_EQ(written("$$$$?"), "$$$$$1");
}

TEST(Placeholders, of_other_kinds_are_refused) {
  for (std::string_view text : {"SELECT $1", "SELECT ?1", "SELECT a=$12", "SELECT :a", "a=:b"}) {
    auto translated = to_postgres(text);
    ASSERT_FALSE(translated.has_value()) << text;
    EXPECT_TRUE(translated.error().is<Failure::InvalidSql>());
  }
}

TEST(Placeholders, a_second_statement_is_refused_and_an_end_is_not) {
  EXPECT_EQ(written("SELECT 1; -- the end ; ?\n ; /* ; */"),
            "SELECT 1; -- the end ; ?\n ; /* ; */");
  for (std::string_view text :
       {"SELECT 1; SELECT 2", "SELECT 1;?", "; SELECT 1", "SELECT $$;$$;x"}) {
    EXPECT_FALSE(to_postgres(text).has_value()) << text;
  }
  EXPECT_TRUE(to_postgres("SELECT ';' AS \";\"").has_value());
}

TEST(Placeholders, the_first_words_are_told) {
  auto translated = to_postgres(" /* BEGIN */ -- x\n (select E'x' from");
  ASSERT_TRUE(translated.has_value());
  EXPECT_EQ(translated->first_word, "SELECT");
  EXPECT_EQ(translated->second_word, "E");
  EXPECT_EQ(to_postgres("  ")->first_word, "");
}

TEST(Placeholders, what_leaves_something_behind_is_noted) {
  for (std::string_view text :
       {"SELECT set_config('a.b', 'c', false)", "SELECT Pg_Advisory_Lock(1)",
        "SELECT 1 AS a INTO TEMP t", "CREATE TABLE pg_temp.t (n INT)",
        "select pg_try_advisory_lock(1)", "SELECT \"set_config\"('a.b', 'c', false)",
        "SELECT U&\"set\\005fconfig\"('a.b', 'c', false)", "CREATE TABLE \"pg_temp\".t (n INT)",
        "SELECT query_to_xml('SELECT pg_advisory_lock(1)', true, true, '')",
        "SELECT ts_stat('SELECT set_config(1, 2, 3)')"}) {
    EXPECT_TRUE(to_postgres(text)->leaves_traces) << text;
  }
  for (std::string_view text :
       {"SELECT temp FROM t", "SELECT 'set_config'", "SELECT 1 -- pg_temp", "SELECT \"a\" FROM t",
        "SELECT U&'x'", "SELECT 1 AS \"into\", 2 AS \"temp\""}) {
    EXPECT_FALSE(to_postgres(text)->leaves_traces) << text;
  }
}

}  // namespace
}  // namespace weft::sql::postgres
