import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{post}from"../chunks/chunk-2L3AL64J.mjs";import{definition}from"../chunks/chunk-IWYCW3NG.mjs";import"../chunks/chunk-SVZDKJR4.mjs";import{runPost}from"../chunks/chunk-ZPVBRTWI.mjs";import"../chunks/chunk-M2YQ7TCH.mjs";import"../chunks/chunk-PLGI4CXG.mjs";await runPost(definition,post);
