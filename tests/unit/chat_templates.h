// Short templates of every chat form, with what the models' own ones are recognised by.
#pragma once

// What chat_form looks at, in our own words; the text after add_generation_prompt is what counts.
#define D_TURNS "{{bos_token}}{{'<｜User｜>' + m}}{{'<｜Assistant｜>' + a}}"
#define D_CUT "{% if '</think>' in a %}{% endif %}"
#define ML_TURNS "{{'<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n'}}"
#define ASK "{% if add_generation_prompt %}"

static const struct {
    const char *name, *template;
} templates[] = {
    {"deepseek-r1", D_TURNS D_CUT ASK "{{'<｜Assistant｜><think>\\n'}}{% endif %}"},
    {"deepseek-v3", D_TURNS ASK "{{'<｜Assistant｜>'}}{% endif %}"},
    {"deepseek-v3.1", D_TURNS D_CUT ASK "{{'<｜Assistant｜>'}}{% if not thinking %}{{'</think>'}}"
                                        "{% else %}{{'<think>'}}{% endif %}{% endif %}"},
    {"deepseek-v2",
     "{{ 'User: ' + m }}{{ 'Assistant: ' + a + eos_token }}" ASK "{{ 'Assistant:' }}"},
    {"deepseek-coder-v1",
     "{{'You are an AI programming assistant, utilizing the Deepseek Coder model, developed by "
     "Deepseek Company, and you only answer questions related to computer science. For politically "
     "sensitive questions, security and privacy issues, and other non-computer science questions, "
     "you will refuse to answer\\n'}}{{'### Instruction:\\n' + m}}{{'<|EOT|>'}}" ASK
     "{{'### Response:'}}"},
    {"qwen2.5-coder",
     "{{- '<|im_start|>system\\n' + m.content + '<|im_end|>\\n' }}{{- '<|im_start|>system\\nYou "
     "are "
     "Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}" ML_TURNS ASK
     "{{'<|im_start|>assistant\\n'}}"},
    {"smollm2", "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
                "Hugging Face<|im_end|>\n' }}" ML_TURNS ASK "{{ '<|im_start|>assistant\n' }}"},
    {"qwen3", "{% if '</think>' in c %}" ML_TURNS ASK "{{'<|im_start|>assistant\\n'}}{% if "
              "enable_thinking is false %}{{'<think>\\n\\n</think>\\n\\n'}}{% endif %}"},
    {"qwq", ML_TURNS ASK "{{- '<|im_start|>assistant\\n<think>\\n' }}"},
    {"llama-3",
     "{{ '<|start_header_id|>' + role + '<|end_header_id|>\\n\\n' + c + '<|eot_id|>' }}" ASK},
    {"llama-3.2", "{{ 'Cutting Knowledge Date: December 2023\\n' }}{{ '<|start_header_id|>' + role "
                  "+ '<|end_header_id|>\\n\\n' + c + '<|eot_id|>' }}" ASK},
};
enum { N_TEMPLATES = sizeof templates / sizeof *templates };
