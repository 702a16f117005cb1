"""What a server of language models answers: the shapes of OpenAI's API and of Ollama's, with made-up tokens. Pure.

- `pages`: which requests are for a model server, and the answer to each
- `openai_chat`, `openai_embeddings`, `ollama_text`, `model_lists`: the answers
- `json_body`: what a request asks for; `generation`: tokens, and when each is due
- `api_errors`: errors in the shape of each API
"""

from mock_target.model_server.pages import Origin, answer_as_model_server, refuse_as_model_server

__all__ = ["Origin", "answer_as_model_server", "refuse_as_model_server"]
