import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{buildWithCaches,main,planWithCaches,post}from"./chunk-GZFFCKNP.mjs";import"./chunk-NC57MBOZ.mjs";import"./chunk-G67FER4F.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{buildWithCaches,main,planWithCaches,post};
