#include "dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace {

namespace json = boost::json;
using testing::HasSubstr;

llm::Request full_request() {
  return {.model = "m:1",
          .messages = {{llm::Role::kSystem, "Be \"brief\"."}, {llm::Role::kUser, "Hi"}},
          .options = {.temperature = 0.7,
                      .top_p = 0.9,
                      .top_k = 40,
                      .seed = -3,
                      .max_tokens = 5,
                      .presence_penalty = 0.5,
                      .frequency_penalty = -0.5,
                      .stop = {"END", "\n"}}};
}

// Reads all lines into one text.
Or<std::string> read_all(const Dialect& dialect, std::vector<std::string_view> lines,
                         Progress& progress) {
  for (std::string_view line : lines) {
    if (auto read = dialect.read_line(line, progress); !read) return std::unexpected(read.error());
  }
  return progress.text;
}

std::string failed(const Or<std::string>& outcome) {
  const auto* failed = outcome ? nullptr : outcome.error().as<llm::Error::Failed>();
  return failed == nullptr ? "" : failed->value;
}

TEST(Ollama, AsksWithEveryOption) {
  // The whole body, with the names that Ollama has for them.
  HttpAsk ask = make_ollama()->chat(full_request());
  EXPECT_EQ(ask.method + " " + ask.path, "POST /api/chat");
  EXPECT_EQ(json::parse(ask.body), json::parse(R"({
    "model": "m:1", "stream": true,
    "messages": [{"role": "system", "content": "Be \"brief\"."}, {"role": "user", "content": "Hi"}],
    "options": {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "seed": -3, "num_predict": 5,
                "presence_penalty": 0.5, "frequency_penalty": -0.5, "stop": ["END", "\n"]}})"));
}

TEST(Ollama, WhatIsNotGivenIsNotSent) {
  // Defaults are the endpoint's.
  HttpAsk ask = make_ollama()->chat({.model = "m", .messages = {}, .options = {}});
  EXPECT_EQ(ask.body, R"({"model":"m","messages":[],"stream":true,"options":{}})");
}

TEST(Ollama, ReadsAChat) {
  // Pieces, then the counts and why it ended.
  Progress progress;
  auto dialect = make_ollama();
  auto text = read_all(*dialect,
                       {R"({"model":"m:1","message":{"role":"assistant","content":"Hel"}})", "",
                        R"({"message":{"content":"lo"},"done":false})"},
                       progress);
  EXPECT_EQ(text, "Hello");
  EXPECT_FALSE(progress.finished);
  ASSERT_TRUE(dialect->read_line(R"({"message":{"content":""},"done":true,"done_reason":"length",
      "prompt_eval_count":7,"eval_count":2})",
                                 progress));
  EXPECT_TRUE(progress.finished && progress.over);
  EXPECT_EQ(progress.summary,
            (llm::Summary{.model = "m:1",
                          .finish = llm::FinishReason::kLength,
                          .usage = {.prompt_tokens = 7, .completion_tokens = 2}}));
}

TEST(Ollama, TellsAnErrorWithinAnAnswer) {
  // Said by the endpoint, or no JSON at all, or JSON of another kind.
  Progress progress;
  auto dialect = make_ollama();
  EXPECT_EQ(failed(read_all(*dialect, {R"({"error":"out of memory"})"}, progress)),
            "the endpoint: out of memory");
  for (std::string_view line : {"<html>", "[1]", "{", "\xff"}) {
    EXPECT_THAT(failed(read_all(*dialect, {line}, progress)), HasSubstr("no JSON object")) << line;
  }
  EXPECT_EQ(read_all(*dialect, {R"({"message":1,"model":2,"done":"yes"})"}, progress), "");
}

TEST(Ollama, ReadsModels) {
  // Times with their offset; entries that are none are passed over.
  auto dialect = make_ollama();
  auto models = dialect->read_list(R"({"models":[3,{},
      {"name":"a","modified_at":"2023-11-04T14:56:49.277302595-07:00"},
      {"name":"b","modified_at":"yesterday"},{"name":"c","modified_at":"1970-01-02T00:00:00Z"}]})");
  ASSERT_TRUE(models && models->size() == 3);
  EXPECT_EQ((*models)[0].created, 1699135009U);
  EXPECT_EQ((*models)[1].created, std::nullopt);
  EXPECT_EQ((*models)[2].created, 86400U);
  auto details = dialect->read_show("a", R"({"details":{"family":"f","parameter_size":"8B"},
      "model_info":{"general.architecture":"f","f.context_length":8192}})");
  ASSERT_TRUE(details);
  EXPECT_EQ(details->model.name, "a");
  EXPECT_EQ(details->parameters, "8B");
  EXPECT_EQ(details->context_length, 8192U);
}

TEST(OpenAi, AsksWithEveryOption) {
  // The whole body, with the names that OpenAI has for them.
  HttpAsk ask = make_openai()->chat(full_request());
  EXPECT_EQ(ask.method + " " + ask.path, "POST /chat/completions");
  EXPECT_EQ(json::parse(ask.body), json::parse(R"({
    "model": "m:1", "stream": true, "stream_options": {"include_usage": true},
    "messages": [{"role": "system", "content": "Be \"brief\"."}, {"role": "user", "content": "Hi"}],
    "temperature": 0.7, "top_p": 0.9, "top_k": 40, "seed": -3, "max_tokens": 5,
    "presence_penalty": 0.5, "frequency_penalty": -0.5, "stop": ["END", "\n"]})"));
  EXPECT_EQ(make_openai()->show("team/m 1?").path, "/models/team/m%201%3F");
}

TEST(OpenAi, ReadsAChat) {
  // Events among comments and empty lines; the usage comes behind the last piece.
  Progress progress;
  auto dialect = make_openai();
  auto text = read_all(
      *dialect,
      {": a comment", "", "event: x",
       R"(data: {"model":"m","choices":[{"delta":{"content":"Hel"}}]})",
       R"(data:{"choices":[{"delta":{"content":"lo"},"finish_reason":null}],"usage":null})",
       R"(data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]})"},
      progress);
  EXPECT_EQ(text, "Hello");
  EXPECT_TRUE(progress.finished && !progress.over);
  ASSERT_TRUE(read_all(
      *dialect,
      {R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}})", "data: [DONE]"},
      progress));
  EXPECT_TRUE(progress.over);
  EXPECT_EQ(progress.summary,
            (llm::Summary{.model = "m",
                          .finish = llm::FinishReason::kContentFilter,
                          .usage = {.prompt_tokens = 7, .completion_tokens = 2}}));
}

TEST(OpenAi, TellsAnErrorWithinAnAnswer) {
  // In its words, with numbers that do not fit passed over.
  Progress progress;
  auto dialect = make_openai();
  EXPECT_EQ(failed(read_all(*dialect, {R"(data: {"error":{"message":"too hot"}})"}, progress)),
            "the endpoint: too hot");
  EXPECT_THAT(failed(read_all(*dialect, {"data: oops"}, progress)), HasSubstr("no JSON object"));
  ASSERT_TRUE(read_all(
      *dialect, {R"(data: {"choices":[7],"usage":{"prompt_tokens":-1,"completion_tokens":1e99}})"},
      progress));
  EXPECT_EQ(progress.summary.usage, llm::Usage());
}

TEST(Dialect, WhatAStatusMeans) {
  // Each has its own case of the interface's error.
  auto of = [](unsigned status, std::string_view body = "") {
    return error_of(status, 7, "m", body);
  };
  EXPECT_EQ(of(404), llm::Error::no_such_model("m"));
  EXPECT_EQ(of(400, R"({"error":{"message":"no"}})"), llm::Error::invalid("the endpoint: no"));
  EXPECT_EQ(of(429), llm::Error::rate_limited(7));
  EXPECT_EQ(of(503), llm::Error::overloaded(7));
  EXPECT_EQ(of(504), llm::Error::timed_out("the endpoint: status 504"));
  EXPECT_EQ(of(500, "<html>"), llm::Error::failed("the endpoint: status 500"));
  EXPECT_EQ(of(500, R"({"error":")" + std::string(5000, 'x') + R"("})"),
            llm::Error::failed("the endpoint: status 500"));
  // The words for a wrong key may hold a part of it.
  EXPECT_THAT(of(401, R"({"error":"wrong key sk-123"})").as<llm::Error::Denied>()->value,
              Not(HasSubstr("sk-123")));
  EXPECT_EQ(make_dialect("other"), nullptr);
}

}  // namespace
