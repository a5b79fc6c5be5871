// ollama:llm, served by an endpoint.
#pragma once

#include <memory>
#include <string>

#include "dialect.h"
#include "exchange.h"

class Host final : public llm::Host {
 public:
  Host(weft::Loop& loop, std::unique_ptr<Dialect> dialect, EndpointSettings settings);

  weft::Answer<Or<llm::Reply>> chat(weft::Call& call, llm::Request request) override;
  weft::Answer<Or<std::vector<llm::Model>>> list(weft::Call& call) override;
  weft::Answer<Or<llm::Details>> show(weft::Call& call, std::string_view name) override;

 private:
  weft::Task<Or<llm::Reply>> start_chat(llm::Request request);
  weft::Task<Or<std::vector<llm::Model>>> fetch_list();
  weft::Task<Or<llm::Details>> fetch_details(std::string name);
  weft::Task<Or<std::string>> fetch(HttpAsk what, std::string model);

  weft::Loop& loop_;
  // Shared with the answers on their way, which may end after the host.
  const std::shared_ptr<const Dialect> dialect_;
  Endpoint endpoint_;
};
