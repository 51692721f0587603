import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{post}from"../chunks/chunk-GZFFCKNP.mjs";import{definition}from"../chunks/chunk-FYN4R7H7.mjs";import"../chunks/chunk-NC57MBOZ.mjs";import{runPost}from"../chunks/chunk-G67FER4F.mjs";import"../chunks/chunk-M2YQ7TCH.mjs";import"../chunks/chunk-PLGI4CXG.mjs";await runPost(definition,post);
